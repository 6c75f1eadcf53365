"""Score a list of texts: columns of NumPy come out, in the order of the texts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfclf.spark.options import Options
from tfclf.spark.shorter import ShorterRows

if TYPE_CHECKING:
    from tfclf.classifier import Classifier

Columns = dict[str, "np.ndarray[Any, Any]"]


def score_texts(model: Classifier, texts: Sequence[bytes], options: Options) -> Columns:
    """Score texts in batches of similar length.

    Returns: label object[rows], score float32[rows], truncated object[rows] (bool or None), and for
      a classification probabilities float32[rows, classes].
    Raises: InputError.
    """
    options.check_model(model.manifest)
    if not texts:  # one row shows which columns there are
        return {name: values[:0] for name, values in score_texts(model, [b""], options).items()}
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    ordered = [texts[row] for row in order]
    if options.max_length is not None and options.max_length < model.max_length:
        columns = _cut_rows(model, options.max_length).score(ordered, options.batch_size)
    else:
        columns = _predict_columns(model, ordered, options)
    places = np.argsort(np.array(order, dtype=np.int64))
    return {name: values[places] for name, values in columns.items()}


@functools.lru_cache(maxsize=4)
def _cut_rows(model: Classifier, limit: int) -> ShorterRows:
    return ShorterRows(model, limit)


def _predict_columns(model: Classifier, texts: Sequence[bytes], options: Options) -> Columns:
    rows: Any = list(texts)  # bytes count as text, too
    predictions = model.predict(
        rows,
        long=options.long,
        stride=options.stride,
        batch_size=options.batch_size,
    )
    columns = {
        "label": np.array([row.label for row in predictions], dtype=object),
        "score": np.array([row.score for row in predictions], dtype=np.float32),
        "truncated": np.array([row.truncated for row in predictions], dtype=object),
    }
    if predictions[0].probabilities is not None:
        values = [list((row.probabilities or {}).values()) for row in predictions]
        columns["probabilities"] = np.array(values, np.float32).reshape(-1, len(model.labels))
    return columns
