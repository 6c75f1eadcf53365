"""Warm-up requests for the signatures that take text, as TF Serving's `PredictionLog`s."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfclf.errors import MissingExtraError
from tfclf.saved_model import signature_names as names

if TYPE_CHECKING:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

_TEXTS = (
    "Central bank holds interest rates as inflation cools for a third straight month",
    "Late goal wins the cup",
    "Ceasefire talks resume after a night of shelling along the northern border",
    "Rain",
    "Chipmaker's shares jump 12 percent after it raises its quarterly revenue forecast",
    "Parliament votes to dissolve itself",
    "Astronomers spot water vapour in the atmosphere of a planet twice the size of Earth",
    "Champion withdraws from the marathon hours before the start",
)
# Rows of the requests: one text, as a single client sends it; and a batch, which takes the graph's
# other branch.
_ROWS = (1, len(_TEXTS))

_Inputs = Mapping[str, Callable[[Sequence[str]], Any]]

_TEXT: _Inputs = {"text": list}
_TWO_TEXTS: _Inputs = {"text": list, "text_pair": list}
# The signatures that `tfclf.Client` and REST call by Predict, with their inputs. TensorFlow
# prepares a graph for each of them at its first call; later calls are about a hundred times as
# fast. None asks for a part of the outputs: TensorFlow would prepare that choice separately.
_PREDICT: Mapping[str, _Inputs] = {
    names.SERVING_DEFAULT: _TEXT,
    names.DETAIL: _TEXT,
    names.PAIRS: _TWO_TEXTS,
    names.DETAIL_PAIRS: _TWO_TEXTS,
    names.WINDOWS: {"text": list, "stride": lambda texts: np.zeros(len(texts), np.int32)},
    names.TOKENIZE: _TEXT,
}


def make_logs(signatures: Collection[str]) -> Iterator[tuple[str, "PredictionLog"]]:
    """Make two requests, of one row and of a batch, for each signature that clients call with text.

    Args:
      signatures: the signatures that the model has; others get no request.
    Returns: signature and request: those of Predict, of Classify and of Regress.
    Raises: MissingExtraError if tensorflow-serving-api is not installed.
    """
    for rows in _ROWS:
        yield from _make_logs_of(_TEXTS[:rows], signatures)


def _make_logs_of(
    texts: Sequence[str], signatures: Collection[str]
) -> Iterator[tuple[str, "PredictionLog"]]:
    for signature, inputs in _PREDICT.items():
        if signature in signatures:
            arrays = {name: make(texts) for name, make in inputs.items()}
            yield signature, _make_predict_log(signature, arrays)
    from tensorflow_serving.apis import prediction_log_pb2

    if names.CLASSIFY in signatures:
        log = prediction_log_pb2.PredictionLog()
        _fill_with_examples(log.classify_log.request, names.CLASSIFY, texts)
        yield names.CLASSIFY, log
    if names.REGRESS in signatures:
        log = prediction_log_pb2.PredictionLog()
        _fill_with_examples(log.regress_log.request, names.REGRESS, texts)
        yield names.REGRESS, log


def encode_records(signatures: Collection[str]) -> Iterator[bytes]:
    """Encode the requests of `make_logs` as records.

    Raises: MissingExtraError if tensorflow-serving-api is not installed.
    """
    for _, log in make_logs(signatures):
        yield log.SerializeToString()


def encode_predict_record(texts: Sequence[str], *, signature: str = names.SERVING_DEFAULT) -> bytes:
    """Encode one Predict request of all the texts.

    Raises: MissingExtraError if tensorflow-serving-api is not installed.
    """
    record: bytes = _make_predict_log(signature, {"text": list(texts)}).SerializeToString()
    return record


def _make_predict_log(signature: str, inputs: Mapping[str, Any]) -> "PredictionLog":
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise MissingExtraError(
            "tensorflow-serving-api",
            extra="checkpoints",
            purpose="writing the warm-up records of an export",
        ) from error
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log


def _fill_with_examples(request: Any, signature: str, texts: Sequence[str]) -> None:
    request.model_spec.signature_name = signature
    for text in texts:
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
        request.input.example_list.examples.add().ParseFromString(example.SerializeToString())
