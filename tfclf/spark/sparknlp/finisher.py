"""Finisher: annotations to plain strings."""

from __future__ import annotations

from typing import Any, ClassVar

from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params, TypeConverters

from tfclf.errors import InputError
from tfclf.spark.columns import check_output, find_column
from tfclf.spark.sparknlp.annotation import Annotation
from tfclf.spark.sparknlp.stages import Named


class Finisher(Transformer, Named):
    """Turn columns of annotations into arrays of strings, or into one string each.

    Source: Spark NLP 5.5.3, Finisher.transform and Annotation.flatten*.
    """

    instead: ClassVar[dict[str, str]] = {
        "parseEmbeddingsVectors": "No stage here makes embeddings; leave it out."
    }

    inputCols = Param(
        Params._dummy(), "inputCols", "columns of annotations", TypeConverters.toListString
    )
    outputCols = Param(Params._dummy(), "outputCols", "new columns", TypeConverters.toListString)
    cleanAnnotations = Param(
        Params._dummy(),
        "cleanAnnotations",
        "whether columns of annotations are dropped",
        TypeConverters.toBoolean,
    )
    includeMetadata = Param(
        Params._dummy(), "includeMetadata", "whether metadata is kept", TypeConverters.toBoolean
    )
    outputAsArray = Param(
        Params._dummy(), "outputAsArray", "array or one string", TypeConverters.toBoolean
    )
    valueSplitSymbol = Param(
        Params._dummy(), "valueSplitSymbol", "between values", TypeConverters.toString
    )
    annotationSplitSymbol = Param(
        Params._dummy(), "annotationSplitSymbol", "between annotations", TypeConverters.toString
    )

    def __init__(self) -> None:
        """Set the defaults."""
        super().__init__()
        self._setDefault(
            cleanAnnotations=True,
            includeMetadata=False,
            outputAsArray=True,
            valueSplitSymbol="#",
            annotationSplitSymbol="@",
        )

    def setInputCols(self, *value: Any) -> Finisher:
        """Set the columns of annotations: a list, or several names."""
        return self._set(inputCols=_flatten(value))  # type: ignore[no-any-return]

    def getInputCols(self) -> list[str]:
        """Return the columns of annotations. Raises: InputError if none were set."""
        if not self.isDefined(self.inputCols):
            raise InputError("Finisher has no inputCols. Expected a call of setInputCols before.")
        return list(self.getOrDefault(self.inputCols))

    def setOutputCols(self, *value: Any) -> Finisher:
        """Set the names of the new columns."""
        return self._set(outputCols=_flatten(value))  # type: ignore[no-any-return]

    def getOutputCols(self) -> list[str]:
        """Return the names of the new columns: `finished_NAME` by default."""
        if self.isDefined(self.outputCols):
            return list(self.getOrDefault(self.outputCols))
        return [f"finished_{name}" for name in self.getInputCols()]

    def setCleanAnnotations(self, value: bool) -> Finisher:
        """Set whether columns of annotations are dropped."""
        return self._set(cleanAnnotations=value)  # type: ignore[no-any-return]

    def setIncludeMetadata(self, value: bool) -> Finisher:
        """Set whether the metadata is kept."""
        return self._set(includeMetadata=value)  # type: ignore[no-any-return]

    def setOutputAsArray(self, value: bool) -> Finisher:
        """Set whether results are arrays, or one string per row."""
        return self._set(outputAsArray=value)  # type: ignore[no-any-return]

    def setValueSplitSymbol(self, value: str) -> Finisher:
        """Set what stands between the values of an annotation."""
        return self._set(valueSplitSymbol=value)  # type: ignore[no-any-return]

    def setAnnotationSplitSymbol(self, value: str) -> Finisher:
        """Set what stands between annotations."""
        return self._set(annotationSplitSymbol=value)  # type: ignore[no-any-return]

    def _transform(self, dataset: Any) -> Any:
        inputs, outputs = self.getInputCols(), self.getOutputCols()
        if len(inputs) != len(outputs):
            raise InputError(
                f"Finisher has {len(inputs)} inputCols and {len(outputs)} outputCols; expected as "
                f"many of each."
            )
        kind = Annotation.arrayType().simpleString()
        annotations = [
            field.name for field in dataset.schema if field.dataType.simpleString() == kind
        ]
        result = dataset
        for name, output in zip(inputs, outputs, strict=True):
            column = find_column(dataset, name)
            if name not in annotations:
                raise InputError(
                    f"The column {name!r} holds no annotations. Expected one of: "
                    f"{', '.join(annotations) or 'none is there'}."
                )
            for new_name, new in self._finish(column, output).items():
                check_output(result, new_name)
                result = result.withColumn(new_name, new)
        return result.drop(*annotations) if self.getOrDefault(self.cleanAnnotations) else result

    def _finish(self, column: Any, output: str) -> dict[str, Any]:
        from pyspark.sql import functions as sql

        with_metadata = self.getOrDefault(self.includeMetadata)
        if self.getOrDefault(self.outputAsArray):
            results = {output: sql.transform(column, lambda entry: entry["result"])}
            if with_metadata:
                results[f"{output}_md"] = _merge_metadata(column)
            return results
        values, between = (
            self.getOrDefault(self.valueSplitSymbol),
            self.getOrDefault(self.annotationSplitSymbol),
        )

        def write(entry: Any) -> Any:
            if not with_metadata:
                return entry["result"]
            pairs = sql.transform(
                sql.map_entries(entry["metadata"]),
                lambda pair: sql.concat(pair["key"], sql.lit("->"), pair["value"]),
            )
            last = sql.array(sql.concat(sql.lit("result->"), entry["result"]))
            return sql.array_join(sql.concat(pairs, last), values)

        return {output: sql.array_join(sql.transform(column, write), between)}


def _merge_metadata(column: Any) -> Any:
    """Merge the metadata of all annotations; a later value replaces an earlier one."""
    from pyspark.sql import functions as sql

    def merge(merged: Any, entry: Any) -> Any:
        kept = sql.map_filter(
            merged, lambda key, _: ~sql.array_contains(sql.map_keys(entry["metadata"]), key)
        )
        return sql.map_concat(kept, entry["metadata"])

    start = sql.create_map().cast("map<string,string>")
    return sql.aggregate(column, start, merge)


def _flatten(names: tuple[Any, ...]) -> list[str]:
    first = names[0] if len(names) == 1 else names
    return [first] if isinstance(first, str) else list(first)


Finisher.__module__ = "tfclf.spark.sparknlp"
