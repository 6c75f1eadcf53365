"""Warm-up records: serialized `PredictionLog`s for the signatures that take text."""

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfclf.errors import MissingExtraError


def records(texts: Sequence[str]) -> Iterator[bytes]:
    """One Predict request of all the texts, and one Classify request.

    Raises: MissingExtraError where tensorflow-serving-api is not installed.
    """
    yield predict_record(texts)

    classification_pb2, _, prediction_log_pb2 = _apis()
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.signature_name = "classify"
    for text in texts:
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
        classify.input.example_list.examples.add().ParseFromString(example.SerializeToString())
    log = prediction_log_pb2.PredictionLog(classify_log=prediction_log_pb2.ClassifyLog(request=classify))
    yield log.SerializeToString()


def predict_record(texts: Sequence[str], *, signature: str = "serving_default") -> bytes:
    """One Predict request of all the texts.

    Raises: MissingExtraError where tensorflow-serving-api is not installed.
    """
    _, predict_pb2, prediction_log_pb2 = _apis()
    predict = predict_pb2.PredictRequest()
    predict.model_spec.signature_name = signature
    predict.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts)))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=predict))
    record: bytes = log.SerializeToString()
    return record


def _apis() -> tuple[Any, Any, Any]:
    try:
        from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise MissingExtraError(
            "tensorflow-serving-api", extra="checkpoints", purpose="writing the warm-up records of an export"
        ) from error
    return classification_pb2, predict_pb2, prediction_log_pb2
