"""What a folder holds, as error messages put it; and its JSON files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MOST = 10


def listing(folder: Path) -> str:
    """The names in it, sorted, the first ten of them; 'nothing' where it is empty."""
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more or "nothing"


def json_object(
    path: Path,
    *,
    error: type[Exception],
    again: str,
    twice: type[Exception] | None = None,
    once: str = "it once",
) -> dict[str, Any]:
    """The JSON object in a file, its keys distinct: of one that comes twice json takes the last, and never tells.

    Args:
      error: what is raised for anything else; `twice` for a key that comes twice, if that is another one.
      again: ends the message where the file is no JSON: how to get a better one.
      once: ends the message where a key comes twice: what was expected.
    Raises: FileNotFoundError, `error`, `twice`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct)
    except (UnicodeDecodeError, json.JSONDecodeError) as cause:
        raise error(f"{path} is not JSON ({cause}). {again}") from cause
    except _TwiceError as key:
        raise (twice or error)(
            f"{path} has the key {key} twice in one object; expected {once}."
        ) from None
    if not isinstance(content, dict):
        raise error(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented, in UTF-8, beside and renamed: a reader never sees half of it."""
    beside = path.with_name(f"{path.name}.partial")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)


class _TwiceError(Exception):
    pass


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(repr(key) for key in keys if keys.count(key) > 1))
    return content
