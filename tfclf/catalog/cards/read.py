"""A card's TOML file -> its record; unknown keys and values of another type are errors."""

import dataclasses
import sys
import types
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from tfclf.catalog.cards.card import Card
from tfclf.errors import CardError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read(path: Path) -> Card:
    """Read the card in a file. Raises: CardError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CardError(f"{path} is not TOML ({error}). Correct the file.") from error
    card: Card = _make_record(Card, content, path, "")
    if card.name != path.stem:
        raise CardError(f"{path}: name is {card.name!r}; expected the file's, {path.stem!r}.")
    if len(set(card.labels)) != len(card.labels) or len(card.labels) < 2:
        raise CardError(
            f"{path}: labels are {', '.join(card.labels)}; expected two or more, each once."
        )
    unknown = sorted(set(card.metrics_by_class) - set(card.labels))
    if unknown:
        raise CardError(
            f"{path}: metrics_by_class has {', '.join(unknown)}; expected labels of the card."
        )
    return card


def _make_record(kind: type[Any], content: Mapping[str, Any], path: Path, prefix: str) -> Any:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(content) - set(fields))
    if unknown:
        raise CardError(
            f"{path}: {prefix}{unknown[0]} is no key of a card. Expected one of: "
            f"{', '.join(prefix + name for name in fields)}."
        )
    for name, field in fields.items():
        if name not in content and _is_required(field):
            raise CardError(
                f"{path} lacks {prefix}{name}. Add it: tfclf/catalog/cards/card.py describes it."
            )
    return kind(
        **{
            name: convert_value(hints[name], value, path, prefix + name)
            for name, value in content.items()
        }
    )


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def convert_value(kind: Any, value: Any, path: Path, name: str) -> Any:
    """Convert a value of TOML to the type of a record's field.

    >>> convert_value(float, 1, Path("x.toml"), "metrics.accuracy")
    1.0
    >>> convert_value(tuple[str, ...], ["neg", "pos"], Path("x.toml"), "labels")
    ('neg', 'pos')

    Raises: CardError for a value of another type.
    """
    # TOML has no null: a field of the type `X | None` holds an X in a file.
    if isinstance(kind, types.UnionType) or get_origin(kind) is Union:
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _make_record(kind, value, path, f"{name}.")
    if origin is tuple and isinstance(value, list):
        return tuple(convert_value(get_args(kind)[0], part, path, name) for part in value)
    if origin is Mapping and isinstance(value, dict):
        return {
            key: convert_value(get_args(kind)[1], part, path, f"{name}.{key}")
            for key, part in value.items()
        }
    if kind is Any:
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (str, int, bool, date) and type(value) is kind:
        return value.strip() if kind is str else value
    raise CardError(f"{path}: {name} is {value!r}; expected {_describe_type(kind)}.")


def _describe_type(kind: Any) -> str:
    names = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        date: "a day",
    }
    if kind in names:
        return names[kind]
    return "a list" if get_origin(kind) is tuple else "a table"
