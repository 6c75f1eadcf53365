"""Warm-up records: serialized `PredictionLog`s for the signatures that take text."""

from collections.abc import Iterator, Sequence

import tensorflow as tf

from tfclf.errors import MissingExtraError


def records(texts: Sequence[str]) -> Iterator[bytes]:
    """One Predict request of all the texts, and one Classify request.

    Raises: MissingExtraError where tensorflow-serving-api is not installed.
    """
    try:
        from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise MissingExtraError(
            "tensorflow-serving-api", extra="checkpoints", purpose="writing the warm-up records of an export"
        ) from error
    predict = predict_pb2.PredictRequest()
    predict.model_spec.signature_name = "serving_default"
    predict.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts)))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=predict))
    yield log.SerializeToString()

    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.signature_name = "classify"
    for text in texts:
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
        classify.input.example_list.examples.add().ParseFromString(example.SerializeToString())
    log = prediction_log_pb2.PredictionLog(classify_log=prediction_log_pb2.ClassifyLog(request=classify))
    yield log.SerializeToString()
