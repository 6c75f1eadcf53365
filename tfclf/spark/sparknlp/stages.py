"""The base of Spark NLP's stages: columns in and out, setters, and the function on executors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params, TypeConverters

from tfclf.errors import InputError
from tfclf.spark.columns import check_output, find_column
from tfclf.spark.functions import make_function
from tfclf.spark.persistence import Saved
from tfclf.spark.sparknlp.annotation import DOCUMENT, Annotation, Rows, read_rows, write_rows

TYPE = "annotatorType"  # the key in a column's metadata, as in Spark NLP
_ACCESSOR = re.compile(r"(set|get|add)([A-Z]\w*)")


class _UnknownParameterError(InputError, AttributeError):
    """A setter or getter of Spark NLP that a stage here does not have."""


class Annotator(Protocol):
    """The work of a stage, without Spark: pickled for the executors, run in place by LightPipeline.

    Its input are the documents or sentences of each row.
    """

    def annotate(self, rows: Rows) -> Rows: ...


class Named(Saved, Params):
    """Say what to do instead of a setter that is not here.

    Attributes:
      instead: by parameter of Spark NLP, the counterpart here.
    """

    instead: ClassVar[dict[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        """Explain a setter that is missing. Raises: _UnknownParameterError, AttributeError."""
        accessor = _ACCESSOR.fullmatch(name)
        kind = type(self).__name__
        if accessor is None:
            raise AttributeError(f"{kind} has no attribute {name!r}.")
        parameter = accessor[2][0].lower() + accessor[2][1:]
        known = sorted(entry for entry in dir(type(self)) if entry.startswith(accessor[1]))
        own = ", ".join(entry for entry in known if _ACCESSOR.fullmatch(entry)) or "none"
        advice = self.instead.get(parameter, "There is no counterpart; leave it out.")
        raise _UnknownParameterError(
            f"{kind} has no parameter {parameter!r} here (it was asked for as {name}). {advice} "
            f"It has: {own}."
        )


class Stage(Transformer, Named):
    """A stage that reads annotations and adds a column of them.

    Attributes:
      takes: types of annotations that its input columns must have, one each.
      gives: type of the annotations that it makes.
      expensive: whether Spark must not run it twice.
    """

    takes: ClassVar[tuple[str, ...]] = (DOCUMENT,)
    gives: ClassVar[str] = DOCUMENT
    expensive: ClassVar[bool] = False

    inputCols = Param(
        Params._dummy(), "inputCols", "columns of annotations", TypeConverters.toListString
    )
    outputCol = Param(
        Params._dummy(), "outputCol", "the new column of annotations", TypeConverters.toString
    )

    def setInputCols(self, *value: Any) -> Any:
        """Set the columns that the stage reads: a list, or several names. Raises: InputError."""
        names = list(value[0]) if len(value) == 1 and isinstance(value[0], list | tuple) else value
        if len(names) != len(self.takes) or not all(isinstance(name, str) for name in names):
            raise InputError(
                f"{type(self).__name__}.setInputCols got {list(names)!r}; expected "
                f"{len(self.takes)}: columns of the types {', '.join(self.takes)}."
            )
        return self._set(inputCols=list(names))

    def getInputCols(self) -> list[str]:
        """Return the columns that the stage reads."""
        return list(self._demand(self.inputCols, "setInputCols"))

    def setOutputCol(self, value: str) -> Any:
        """Set the name of the new column."""
        return self._set(outputCol=value)

    def getOutputCol(self) -> str:
        """Return the name of the new column."""
        return str(self._demand(self.outputCol, "setOutputCol"))

    def make_annotator(self) -> Annotator:
        """Return the work of the stage with the Params as they are."""
        raise NotImplementedError

    def choose_input(self, types: dict[str, str]) -> str:
        """Return the column of documents among the input columns.

        Args:
          types: of annotations, by column.
        Raises: InputError if a column is missing or of another type.
        """
        names = self.getInputCols()
        stated = [types.get(name) for name in names]
        if sorted(map(str, stated)) != sorted(self.takes):
            found = ", ".join(
                f"{name!r} ({kind or 'no column of annotations'})"
                for name, kind in zip(names, stated, strict=True)
            )
            raise InputError(
                f"{type(self).__name__} reads the columns {found}; expected the types "
                f"{', '.join(self.takes)}. Put the stages that make them before it: "
                f"DocumentAssembler and SentenceDetector make documents, Tokenizer makes tokens."
            )
        return names[stated.index(DOCUMENT)]

    def _transform(self, dataset: Any) -> Any:
        types = {name: find_type(field) for name, field in _fields(dataset).items()}
        column = find_column(dataset, self.choose_input(types))
        return self._add(dataset, AnnotateTask(self.make_annotator()), column)

    def _add(self, dataset: Any, task: Any, column: Any) -> Any:
        output = self.getOutputCol()
        check_output(dataset, output)
        function = make_function(
            task,
            Annotation.arrayType(),
            name=f"tfclf_{type(self).__name__}",
            expensive=self.expensive,
        )
        return dataset.withColumn(
            output, function(column).alias(output, metadata={TYPE: self.gives})
        )

    def _demand(self, param: Any, setter: str) -> Any:
        if not self.isDefined(param):
            raise InputError(
                f"{type(self).__name__} has no {param.name}. Expected a call of {setter} before it "
                f"is used."
            )
        return self.getOrDefault(param)


@dataclass(frozen=True)
class AnnotateTask:
    """Run an annotator on Arrow arrays in a worker."""

    annotator: Annotator

    def run(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Turn each array of annotations into another one."""
        for batch in batches:
            yield write_rows(self.annotator.annotate(read_rows(batch)))


def find_type(field: Any) -> str:
    """Return the type of a column's annotations; '' for another column."""
    if field.dataType.simpleString() != Annotation.arrayType().simpleString():
        return ""
    return str(field.metadata.get(TYPE, ""))


def _fields(dataset: Any) -> dict[str, Any]:
    return {field.name: field for field in dataset.schema}
