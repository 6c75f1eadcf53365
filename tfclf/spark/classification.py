"""Classify a column of a Spark DataFrame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfclf.decision import Rule, Threshold
from tfclf.errors import InputError
from tfclf.spark.columns import check_output, find_text_column
from tfclf.spark.functions import make_function
from tfclf.spark.options import ON_NULL, Options
from tfclf.spark.places import find_model
from tfclf.spark.scoring import score_texts
from tfclf.spark.structs import make_structs, output_schema


def classify(
    df: Any,
    model: str | Path,
    *,
    column: str = "text",
    output: str = "prediction",
    on_null: str = "fail",
    batch_size: int = 32,
    long: str = "truncate",
    stride: int | None = None,
    max_length: int | None = None,
    top_k: int | None = None,
    threshold: Threshold | None = None,
    abstain_below: float | None = None,
) -> Any:
    """Add a column of predictions to a DataFrame of Spark.

    The DataFrame may be a batch or a stream, of classic Spark or of Spark Connect. Each Python
    worker loads the model once. Rows are sorted by length within an Arrow batch, whose rows
    `spark.sql.execution.arrow.maxRecordsPerBatch` limits.

    Args:
      df: a DataFrame with the column of texts; its other columns stay.
      model: an export: a folder that every executor sees under this path, `local:/path` if the
        driver does not see it, `files:NAME` for one that `ship_model` sent, or a card's name.
      column: the texts.
      output: the new column: struct<label string, score double, probabilities map<string,double>,
        truncated boolean>. `probabilities` is null for a regression, whose `score` is the value.
      on_null: what to do with a null text: 'fail' ends the job with an error, 'null' gives null.
      batch_size: rows in one call of the graph.
      long, stride: as in `Classifier.predict`.
      max_length: tokens in a row, special tokens included, if fewer than the model's own limit.
      top_k, threshold, abstain_below: as in `Classifier.predict`. They add to the struct `top` and
        `labels`, both array<string>, and `reason` string, with which the label is null.
    Raises: InputError, SourceNotFoundError, SavedModelError. On executors an error ends the job,
      and names the machine.
    """
    rule = Rule.of(top_k, threshold, abstain_below)
    options = Options(batch_size, long, stride, max_length, rule)
    options.check()
    if on_null not in ON_NULL:
        raise InputError(f"on_null is {on_null!r}; expected {' or '.join(map(repr, ON_NULL))}.")
    place, manifest = find_model(model)
    if manifest is not None:
        options.check_model(manifest)
    check_output(df, output)
    texts = find_text_column(df, column)
    function = make_function(
        ClassifyTask(place, options, on_null, column),
        output_schema(options.decided),
        name="tfclf_classify",
        expensive=True,
    )
    return df.withColumn(output, function(texts))


@dataclass(frozen=True)
class ClassifyTask:
    """Classify Arrow arrays of strings in a worker."""

    place: str
    options: Options
    on_null: str
    column: str

    def run(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Turn each array of texts into an array of structs."""
        from tfclf.spark.worker import load_model

        done = 0
        for batch in batches:
            if self.on_null == "fail" and batch.null_count:
                raise InputError(self._explain_null(batch, done))
            model = load_model(self.place)  # here: an empty partition needs no model
            texts = batch.drop_null().cast(pa.binary()).to_pylist()
            columns = score_texts(model, texts, self.options)
            structs = make_structs(columns, model.labels, decided=self.options.decided)
            yield _spread(structs, batch)
            done += len(batch)

    def _explain_null(self, batch: Any, done: int) -> str:
        from pyspark import TaskContext

        context = TaskContext.get()
        partition = context.partitionId() if context is not None else 0
        row = done + batch.is_null().to_pylist().index(True)
        return (
            f"The column {self.column!r} is null in row {row} of partition {partition} (both count "
            f"from 0); expected a text. Filter such rows out first, replace them by '', or give "
            f"on_null='null', which predicts null for them."
        )


def _spread(structs: Any, batch: Any) -> Any:
    """Put one struct at each text that is not null, and null elsewhere."""
    if not batch.null_count:
        return structs
    present = batch.is_valid().to_pylist()
    indices: list[int | None] = []
    count = 0
    for is_present in present:
        indices.append(count if is_present else None)
        count += is_present
    return structs.take(pa.array(indices, pa.int64()))
