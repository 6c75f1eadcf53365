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

    Returns: the columns of `Classifier.predict_columns`.
    Raises: InputError.
    """
    options.check_model(model.manifest)
    return model.decide_columns(_score_texts(model, texts, options), options.rule)


def _score_texts(model: Classifier, texts: Sequence[bytes], options: Options) -> Columns:
    if options.max_length is None or options.max_length >= model.max_length:
        rows: Any = texts  # bytes count as text, too
        return model.predict_columns(
            rows, long=options.long, stride=options.stride, batch_size=options.batch_size
        )
    if not texts:  # one row shows which columns there are
        return {name: values[:0] for name, values in _score_texts(model, [b""], options).items()}
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    ordered = [texts[row] for row in order]
    columns = _cut_rows(model, options.max_length).score(ordered, options.batch_size)
    places = np.argsort(np.array(order, dtype=np.int64))
    return {name: values[places] for name, values in columns.items()}


@functools.lru_cache(maxsize=4)
def _cut_rows(model: Classifier, limit: int) -> ShorterRows:
    return ShorterRows(model, limit)
