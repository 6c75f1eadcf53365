"""A client needs nothing of tfclf."""

import pytest

from tfclf.server.process import Server

CLIENT = """\
import grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

request = predict_pb2.PredictRequest()
request.model_spec.name = "echo"
text = request.inputs["text"]
text.dtype = 7  # DT_STRING
text.string_val.extend([b"Stocks rally as oil prices fall", b"Late goal wins the cup"])
text.tensor_shape.dim.add(size=2)
with grpc.insecure_channel("localhost:8500") as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=10)
print(list(response.outputs["length"].int_val))
"""


def test_the_client_of_the_readme(echo_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    exec(CLIENT.replace("localhost:8500", echo_server.address), {})
    assert capsys.readouterr().out == "[31, 22]\n"
