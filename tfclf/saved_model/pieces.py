"""The pieces of an export's token ids: `assets.extra/pieces.json`.

Only people read pieces, so they are not in the graph. Exports made before this file came do not
have it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

_PLACE = Path("assets.extra") / "pieces.json"


def write_pieces(version_folder: Path, pieces: Sequence[str | None]) -> None:
    """Write the pieces, in the order of their ids, into an export that is being made."""
    path = version_folder / _PLACE
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(pieces, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8"
    )


def has_pieces(version_folder: Path) -> bool:
    """Tell whether an export can name the pieces of its ids."""
    return (version_folder / _PLACE).is_file()


def read_pieces(version_folder: Path) -> tuple[str | None, ...]:
    """Return the pieces in the order of their ids; none if the file is missing or broken."""
    try:
        pieces = json.loads((version_folder / _PLACE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    if not isinstance(pieces, list):
        return ()
    return tuple(piece if isinstance(piece, str) else None for piece in pieces)
