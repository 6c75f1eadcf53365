"""TF1 models are served as they are: by the names in their graph."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tfclf.server import serve

from .conftest import predict_request


@pytest.fixture(scope="module")
def half_plus_two(half_plus_two_base: Path) -> Iterator[PredictionServiceStub]:
    with serve(half_plus_two_base, port=0) as server, grpc.insecure_channel(server.address) as channel:
        yield PredictionServiceStub(channel)


@pytest.mark.parametrize("x", [[[1.0], [2.0]], [1.0, 2.0], 1.0], ids=["rows", "README", "scalar"])
def test_x_of_any_shape_is_answered_as_tf_serving_answers(half_plus_two: PredictionServiceStub, x: object) -> None:
    request = predict_request({"x": tf.make_tensor_proto(x)}, model="half_plus_two", output_filter=["y"])
    y = tf.make_ndarray(half_plus_two.Predict(request).outputs["y"])
    assert y.tolist() == (tf.constant(x) * 0.5 + 2).numpy().tolist()


def test_an_output_that_is_not_chosen_is_not_computed(half_plus_two: PredictionServiceStub) -> None:
    x = {"x": tf.make_tensor_proto([[1.0]])}
    half_plus_two.Predict(predict_request(x, model="half_plus_two", output_filter=["y"]))
    with pytest.raises(grpc.RpcError, match="never a number"):
        half_plus_two.Predict(predict_request(x, model="half_plus_two"))


def test_the_folder_name_is_the_version(half_plus_two: PredictionServiceStub) -> None:
    x = {"x": tf.make_tensor_proto([[1.0]])}
    response = half_plus_two.Predict(predict_request(x, model="half_plus_two", version=123, output_filter=["y"]))
    assert response.model_spec.version.value == 123
