"""Requests as any client writes them; nothing of tfclf is in here."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def strings(*texts: str | bytes) -> TensorProto:
    """Build a tensor: string[len(texts)]."""
    return tf.make_tensor_proto(list(texts), dtype=tf.string, shape=[len(texts)])


def predict_request(
    inputs: Mapping[str, TensorProto],
    *,
    model: str = "echo",
    signature: str = "",
    version: int | None = None,
    label: str | None = None,
    output_filter: Sequence[str] = (),
) -> PredictRequest:
    spec = model_spec(model, signature=signature, version=version, label=label)
    return PredictRequest(inputs=inputs, output_filter=output_filter, model_spec=spec)


def example(**features: float | str | bytes) -> Example:
    """Build a tf.Example: `example(x=0.5, name="a")` has a feature of floats and one of bytes."""
    made = Example()
    for name, value in features.items():
        feature = made.features.feature[name]
        if isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
    return made


def example_list(*examples: Example) -> Input:
    return Input(example_list={"examples": examples})


def with_context(context: Example, *examples: Example) -> Input:
    return Input(example_list_with_context={"context": context, "examples": examples})


def text_examples(*texts: str | bytes) -> Input:
    """Build the tf.Examples that exports of tfclf read."""
    return example_list(*(example(text=text) for text in texts))


def model_spec(
    model: str = "scorer",
    *,
    signature: str = "",
    version: int | None = None,
    label: str | None = None,
) -> ModelSpec:
    spec = ModelSpec(name=model, signature_name=signature)
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label
    return spec


def classify_request(sent: Input, model: str = "scorer", **spec: Any) -> ClassificationRequest:
    return ClassificationRequest(model_spec=model_spec(model, **spec), input=sent)


def regress_request(sent: Input, model: str = "scorer", **spec: Any) -> RegressionRequest:
    return RegressionRequest(
        model_spec=model_spec(model, **{"signature": "regress", **spec}), input=sent
    )


def multi_request(sent: Input, *tasks: tuple[str, ModelSpec]) -> MultiInferenceRequest:
    """Build a MultiInferenceRequest of tasks, each a method's name and a ModelSpec."""
    request = MultiInferenceRequest(input=sent)
    for method_name, spec in tasks:
        request.tasks.add(method_name=method_name, model_spec=spec)
    return request
