"""`Classifier.explain`: by the export's own signatures, or composed around its others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfclf.explanation import Explanation, make_explanations
from tfclf.saved_model import signature_names as names

Functions = Mapping[str, Callable[..., Mapping[str, tf.Tensor]]]
Explain = Callable[..., Mapping[str, tf.Tensor]]  # from tensors, in the order of the signature

_TEXT, _STRIDE = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)
_LONGEST = 1 << 17  # tokens of a row, to be tried with a text
# What explains, with its inputs, and the signatures that it can be composed of, the best first.
_KINDS = {
    names.EXPLAIN: ({"text": _TEXT}, (names.DETAIL, names.SERVING_DEFAULT)),
    names.EXPLAIN_PAIRS: (
        {"text": _TEXT, "text_pair": _TEXT},
        (names.DETAIL_PAIRS, names.PAIRS),
    ),
    names.EXPLAIN_WINDOWS: ({"text": _TEXT, "stride": _STRIDE}, (names.WINDOWS,)),
}


def make_explain(functions: Functions, name: str, *, max_length: int, xla: bool) -> Explain:
    """Return the function that explains: the signature `name`, or the same made of others.

    Older exports have no such signature, and the signatures call an encoder without XLA.
    """
    inputs, others = _KINDS[name]
    if xla and name == names.EXPLAIN:
        others = (names.DETAIL_XLA, names.SERVING_XLA, *others)
    elif name in functions:
        return _by_position(functions[name], inputs)
    # Imported here: a classifier that only predicts needs none of TF-Text's Python modules.
    from tfclf.explaining import Explainer

    classify = _by_position(functions[next(one for one in others if one in functions)], inputs)
    from_end = _truncates_left(functions[names.TOKENIZE], max_length)
    explainer = Explainer(max_length=max_length, from_end=from_end)

    def explain(*tensors: tf.Tensor) -> Mapping[str, tf.Tensor]:
        texts = [tensor for tensor in tensors if tensor.dtype == tf.string]
        return explainer.explain(classify, texts, tensors[len(texts) :])

    return tf.function(explain, list(inputs.values()), autograph=False)  # type: ignore[no-any-return]


def run_explain(
    explain: Explain, rows: list[list[bytes]], *, stride: int | None, labels: tuple[str, ...]
) -> list[Explanation]:
    """Explain a batch of rows.

    Args:
      rows: the texts, and the pairs if there are any, one per row.
      stride: of windows; None without them.
    """
    tensors = [tf.constant(column, tf.string) for column in rows]
    if stride is not None:
        tensors.append(tf.fill([len(rows[0])], stride))
    outputs: dict[str, Any] = {
        name: values.numpy().tolist() for name, values in explain(*tensors).items()
    }
    if stride is not None:
        outputs["truncated"] = [False] * len(rows[0])
    return list(make_explanations(outputs, rows, labels))


def _by_position(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Explain:
    return lambda *given: function(**dict(zip(inputs, given, strict=True)))


def _truncates_left(tokenize: Callable[..., Mapping[str, tf.Tensor]], max_length: int) -> bool:
    """Whether a text that is too long loses its beginning: what stands there then has no effect."""
    if max_length > _LONGEST:  # hardly any text is too long
        return False
    long = "a " * max_length
    ids = tokenize(text=tf.constant([long, "b " + long]))["input_ids"].numpy()
    return bool((ids[0] == ids[1]).all())
