"""What the readers of tokenizer.json's parts share."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfclf.errors import UnknownComponentError, VocabularyError

Part = Mapping[str, Any]


def kind_of(part: object) -> object:
    """The `type` of a part; of what is none, the thing itself."""
    return part.get("type") if isinstance(part, Mapping) else part


def unknown(part: str, found: object, known: Iterable[str], path: Path) -> UnknownComponentError:
    """The error for a part, or an option of one, that the compiler does not know."""
    return UnknownComponentError(
        f"{path}: the {part} is {found!r}, which cannot be compiled exactly. Expected {' or '.join(known)}. "
        f"tfclf never approximates a tokenizer; please report the checkpoint."
    )


def in_order(vocabulary: Mapping[str, int], path: Path) -> tuple[str, ...]:
    """Pieces by their ids, which must be 0, 1, 2, ... Raises: VocabularyError."""
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    ids = [vocabulary[piece] for piece in pieces]
    if ids != list(range(len(ids))):
        wrong = next(expected for expected, found in enumerate(ids) if expected != found)
        raise VocabularyError(
            f"{path}: the vocabulary's ids are not 0 to {len(ids) - 1}: id {wrong} is missing or given twice "
            f"(near {pieces[wrong]!r}). Every embedding needs exactly one piece."
        )
    return tuple(pieces)
