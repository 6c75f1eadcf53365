"""DocumentAssembler: texts to documents, where a pipeline of Spark NLP begins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from pyspark.ml.param import Param, Params, TypeConverters

from tfclf.errors import InputError
from tfclf.spark.columns import find_text_column
from tfclf.spark.sparknlp.annotation import DOCUMENT, Annotation, Rows, count_units, write_rows
from tfclf.spark.sparknlp.stages import Stage

_SPACE = r"[ \t\n\x0b\f\r]"  # Java's \s
# Source: Spark NLP 5.5.3, DocumentAssembler.assemble.
_CLEANUPS: dict[str, tuple[str, str]] = {
    "disabled": ("", ""),
    "inplace": (_SPACE, " "),
    "inplace_full": (rf"{_SPACE}|(?:\\r)?(?:\\n)|(?:\\t)", " "),
    "shrink": (rf"{_SPACE}+", " "),
    "shrink_full": (rf"{_SPACE}+|(?:\\r)*(?:\\n)+|(?:\\t)+", " "),
    "each": (rf"{_SPACE}[\n\t]", " "),
    "each_full": (rf"{_SPACE}(?:\n|\t|(?:\\r)?(?:\\n)|(?:\\t))", " "),
    "delete_full": (r"(?:\\r)?(?:\\n)|(?:\\t)", ""),
}
_TRIMMED = ("shrink", "shrink_full", "delete_full")
_TRIM = "".join(map(chr, range(0x21)))  # Java's trim takes every character up to the space


class DocumentAssembler(Stage):
    """Make one document of each text; an empty one of a null."""

    takes: ClassVar[tuple[str, ...]] = ()
    instead: ClassVar[dict[str, str]] = {
        "idCol": "Columns of the DataFrame stay beside the predictions; an id needs no parameter.",
        "metadataCol": "Columns of the DataFrame stay beside the predictions.",
    }

    inputCol = Param(Params._dummy(), "inputCol", "the column of texts", TypeConverters.toString)
    cleanupMode = Param(
        Params._dummy(), "cleanupMode", ", ".join(_CLEANUPS), TypeConverters.toString
    )

    def __init__(self) -> None:
        """Set the defaults."""
        super().__init__()
        self._setDefault(outputCol="document", cleanupMode="disabled")

    def setInputCols(self, *value: Any) -> Any:
        """Refuse more columns than one. Raises: InputError."""
        raise InputError(
            f"DocumentAssembler.setInputCols got {list(value)!r}; it reads one column of texts. "
            f"Expected setInputCol."
        )

    def setInputCol(self, value: str) -> DocumentAssembler:
        """Set the column of texts."""
        return self._set(inputCol=value)  # type: ignore[no-any-return]

    def getInputCol(self) -> str:
        """Return the column of texts."""
        return str(self._demand(self.inputCol, "setInputCol"))

    def setCleanupMode(self, value: str) -> DocumentAssembler:
        """Set what happens to white space. Raises: InputError."""
        mode = value.strip().lower()
        if mode not in _CLEANUPS:
            raise InputError(f"cleanupMode is {value!r}; expected one of: {', '.join(_CLEANUPS)}.")
        return self._set(cleanupMode=mode)  # type: ignore[no-any-return]

    def getCleanupMode(self) -> str:
        """Return what happens to white space."""
        return str(self.getOrDefault(self.cleanupMode))

    def assemble(self, texts: Iterable[str | None]) -> Rows:
        """Make the documents of texts, without Spark."""
        return AssembleTask(self.getCleanupMode()).assemble(texts)

    def _transform(self, dataset: Any) -> Any:
        column = find_text_column(dataset, self.getInputCol())
        return self._add(dataset, AssembleTask(self.getCleanupMode()), column)


@dataclass(frozen=True)
class AssembleTask:
    """Make documents of Arrow arrays of strings in a worker."""

    cleanup: str

    def run(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Turn each array of texts into an array of documents."""
        for batch in batches:
            texts = batch.cast(pa.binary()).to_pylist()
            yield write_rows(self.assemble(_decode(text) for text in texts))

    def assemble(self, texts: Iterable[str | None]) -> Rows:
        """Make the documents of texts."""
        rows = []
        for text in texts:
            content = self._clean(text or "")
            facts = {"sentence": "0"}
            end = count_units(content) - 1
            rows.append([Annotation(DOCUMENT, 0, end, content, facts)])
        return rows

    def _clean(self, text: str) -> str:
        if self.cleanup in _TRIMMED:
            text = text.strip(_TRIM)
        pattern, replacement = _CLEANUPS[self.cleanup]
        return re.sub(pattern, replacement, text) if pattern else text


def _decode(text: bytes | None) -> str:
    return "" if text is None else text.decode("utf-8", "replace")


DocumentAssembler.__module__ = "tfclf.spark.sparknlp"
