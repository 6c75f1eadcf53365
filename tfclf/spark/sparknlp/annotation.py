"""Annotations: what Spark NLP's stages pass on, as Python objects, Arrow and a Spark type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

DOCUMENT = "document"
TOKEN = "token"  # noqa: S105 - the name of a type
CATEGORY = "category"

_ARROW_TYPE = pa.list_(
    pa.struct(
        [
            ("annotatorType", pa.string()),
            pa.field("begin", pa.int32(), nullable=False),
            pa.field("end", pa.int32(), nullable=False),
            ("result", pa.string()),
            ("metadata", pa.map_(pa.string(), pa.string())),
            ("embeddings", pa.list_(pa.field("element", pa.float32(), nullable=False))),
        ]
    )
)


@dataclass(repr=False)
class Annotation:
    """A part of a text and what was found there.

    Attributes:
      annotatorType: 'document', 'token' or 'category'.
      begin, end: places of the first and the last character, in UTF-16 units, as Java counts.
      result: the text, the token or the label.
      metadata: `sentence`, the sentence's number; for a category the probability of each label.
      embeddings: always empty here.
    """

    annotatorType: str
    begin: int
    end: int
    result: str
    metadata: dict[str, str]
    embeddings: list[float] = field(default_factory=list)

    def __repr__(self) -> str:
        facts = (self.annotatorType, self.begin, self.end, self.result, self.metadata)
        return f"Annotation({', '.join(map(str, facts))})"

    @staticmethod
    def dataType() -> Any:
        """Return the Spark type of an annotation."""
        from pyspark.sql import types

        text = types.StringType()
        return types.StructType(
            [
                types.StructField("annotatorType", text),
                types.StructField("begin", types.IntegerType(), nullable=False),
                types.StructField("end", types.IntegerType(), nullable=False),
                types.StructField("result", text),
                types.StructField("metadata", types.MapType(text, text)),
                types.StructField(
                    "embeddings", types.ArrayType(types.FloatType(), containsNull=False)
                ),
            ]
        )

    @staticmethod
    def arrayType() -> Any:
        """Return the Spark type of a column of annotations."""
        from pyspark.sql import types

        return types.ArrayType(Annotation.dataType())


Rows = list[list[Annotation]]


def read_rows(column: Any) -> Rows:
    """Read an Arrow array of annotations; a null row has none."""
    return [
        [Annotation(**{**entry, "metadata": dict(entry["metadata"] or ())}) for entry in row or ()]
        for row in column.to_pylist()
    ]


def write_rows(rows: Iterable[Sequence[Annotation]]) -> pa.Array:
    """Write annotations as an Arrow array."""
    content = [
        [{**vars(entry), "metadata": list(entry.metadata.items())} for entry in row] for row in rows
    ]
    return pa.array(content, _ARROW_TYPE)


def count_units(text: str) -> int:
    r"""Count UTF-16 units: a character beyond U+FFFF counts twice.

    >>> count_units("ab"), count_units("a\U0001f600")
    (2, 3)
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def number_units(text: str) -> Sequence[int]:
    r"""Return the place in UTF-16 units of each character, and of the end.

    >>> list(number_units("\U0001f600a"))
    [0, 2, 3]
    """
    if text.isascii():
        return range(len(text) + 1)
    return [0, *_add_up(2 if ord(character) > 0xFFFF else 1 for character in text)]


def format_float(value: np.float32) -> str:
    """Format a number as Java's Float.toString, which Spark NLP's metadata holds.

    >>> [format_float(np.float32(value)) for value in (0.2677319, 1, 0.0006, 0)]
    ['0.2677319', '1.0', '6.0E-4', '0.0']
    """
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return np.format_float_positional(value, unique=True, trim="0")
    return np.format_float_scientific(value, unique=True, trim="0", exp_digits=1).replace("e", "E")


def _add_up(steps: Iterable[int]) -> Iterator[int]:
    total = 0
    for step in steps:
        total += step
        yield total
