"""Check the columns of a DataFrame before a job runs."""

from __future__ import annotations

from typing import Any

from tfclf.errors import InputError


def check_output(df: Any, output: str) -> None:
    """Refuse a name that a column has already; Spark compares names without case.

    Raises: InputError.
    """
    taken = [name for name in df.columns if name.casefold() == output.casefold()]
    if taken:
        raise InputError(
            f"The DataFrame has a column {taken[0]!r} already, and the predictions would replace "
            f"it. Expected a new name. Choose another output, or drop or rename that column first."
        )


def find_column(df: Any, name: str) -> Any:
    """Return the one column of a name, whatever characters the name has.

    Raises: InputError if there is none, or more than one.
    """
    names = [column for column in df.columns if column == name]
    names = names or [column for column in df.columns if column.casefold() == name.casefold()]
    if not names:
        raise InputError(
            f"The DataFrame has no column {name!r}; it has {_list_names(df.columns)}. Name the one "
            f"that holds the texts."
        )
    if len(names) > 1:
        raise InputError(
            f"The DataFrame has {len(names)} columns {names[0]!r}; expected one. Rename the others."
        )
    quoted = names[0].replace("`", "``")
    return df[f"`{quoted}`"]


def find_text_column(df: Any, name: str) -> Any:
    """Return a column of strings. Raises: InputError."""
    from pyspark.sql.types import CharType, StringType, VarcharType

    column = find_column(df, name)
    kinds = [field.dataType for field in df.schema if field.name.casefold() == name.casefold()]
    if not isinstance(kinds[0], StringType | CharType | VarcharType):
        raise InputError(
            f"The column {name!r} is {kinds[0].simpleString()}; expected string. Cast it: "
            f'df.withColumn("{name}", df["{name}"].cast("string")).'
        )
    return column


def _list_names(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(map(repr, names[:10])) + more if names else "no columns"
