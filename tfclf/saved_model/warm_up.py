"""Warm-up records: serialized `PredictionLog`s for the signatures that take text."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfclf.errors import MissingExtraError
from tfclf.saved_model import signature_names as names


def encode_records(texts: Sequence[str], signatures: Collection[str]) -> Iterator[bytes]:
    """Encode one request of all the texts for each API: Predict, then Classify, then Regress.

    Classify and Regress come only if `signatures` has theirs.

    Raises: MissingExtraError if tensorflow-serving-api is not installed.
    """
    yield encode_predict_record(texts)
    from tensorflow_serving.apis import classification_pb2, prediction_log_pb2, regression_pb2

    if names.CLASSIFY in signatures:
        classify = classification_pb2.ClassificationRequest()
        classify.model_spec.signature_name = names.CLASSIFY
        _add_examples(classify, texts)
        yield _encode_log(classify_log=prediction_log_pb2.ClassifyLog(request=classify))
    if names.REGRESS in signatures:
        regress = regression_pb2.RegressionRequest()
        regress.model_spec.signature_name = names.REGRESS
        _add_examples(regress, texts)
        yield _encode_log(regress_log=prediction_log_pb2.RegressLog(request=regress))


def encode_predict_record(texts: Sequence[str], *, signature: str = names.SERVING_DEFAULT) -> bytes:
    """Encode one Predict request of all the texts.

    Raises: MissingExtraError if tensorflow-serving-api is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise MissingExtraError(
            "tensorflow-serving-api",
            extra="checkpoints",
            purpose="writing the warm-up records of an export",
        ) from error
    predict = predict_pb2.PredictRequest()
    predict.model_spec.signature_name = signature
    predict.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts)))
    return _encode_log(predict_log=prediction_log_pb2.PredictLog(request=predict))


def _add_examples(request: Any, texts: Sequence[str]) -> None:
    for text in texts:
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
        request.input.example_list.examples.add().ParseFromString(example.SerializeToString())


def _encode_log(**log: Any) -> bytes:
    from tensorflow_serving.apis import prediction_log_pb2

    record: bytes = prediction_log_pb2.PredictionLog(**log).SerializeToString()
    return record
