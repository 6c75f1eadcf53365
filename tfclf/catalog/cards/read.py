"""A card's TOML file to its record: every key known, every value of the kind that the record says."""

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
    """The card in a file. Raises: CardError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CardError(f"{path} is not TOML ({error}). Correct the file.") from error
    card: Card = _record(Card, content, path, "")
    if card.name != path.stem:
        raise CardError(f"{path}: name is {card.name!r}; expected that of the file, {path.stem!r}.")
    if len(set(card.labels)) != len(card.labels) or len(card.labels) < 2:
        raise CardError(
            f"{path}: labels are {', '.join(card.labels)}; expected two or more, each once."
        )
    strange = sorted(set(card.metrics_by_class) - set(card.labels))
    if strange:
        raise CardError(
            f"{path}: metrics_by_class has {', '.join(strange)}; expected labels of the card."
        )
    return card


def _record(kind: type[Any], content: Mapping[str, Any], path: Path, prefix: str) -> Any:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(content) - set(fields))
    if unknown:
        raise CardError(
            f"{path}: {prefix}{unknown[0]} is no key of a card. Expected one of: "
            f"{', '.join(prefix + name for name in fields)}."
        )
    missing = [
        name
        for name, field in fields.items()
        if name not in content
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise CardError(
            f"{path} lacks {prefix}{missing[0]}. Add it: tfclf/catalog/cards/card.py says what it is."
        )
    return kind(
        **{name: _value(hints[name], value, path, prefix + name) for name, value in content.items()}
    )


def _value(kind: Any, value: Any, path: Path, name: str) -> Any:
    """The value as the record has it; of `X | None` a file can only hold an X, for TOML has no null."""
    if isinstance(kind, types.UnionType) or get_origin(kind) is Union:
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _record(kind, value, path, f"{name}.")
    if origin is tuple and isinstance(value, list):
        return tuple(_value(get_args(kind)[0], one, path, name) for one in value)
    if origin is Mapping and isinstance(value, dict):
        return {
            key: _value(get_args(kind)[1], one, path, f"{name}.{key}") for key, one in value.items()
        }
    if kind is Any:
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (str, int, bool, date) and type(value) is kind:
        return value.strip() if kind is str else value
    raise CardError(f"{path}: {name} is {value!r}; expected {_called(kind)}.")


def _called(kind: Any) -> str:
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
