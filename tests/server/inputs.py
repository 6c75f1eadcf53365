"""Requests of Classify, Regress and MultiInference."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def example(**features: float | str | bytes) -> Example:
    """example(x=0.5, name="a"): a feature of floats, and one of bytes."""
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
    """What exports of tfclf read."""
    return example_list(*(example(text=text) for text in texts))


def model_spec(
    model: str = "scorer", *, signature: str = "", version: int | None = None, label: str | None = None
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
    return RegressionRequest(model_spec=model_spec(model, **{"signature": "regress", **spec}), input=sent)


def multi_request(sent: Input, *tasks: tuple[str, ModelSpec]) -> MultiInferenceRequest:
    """Each task: the method's name, the ModelSpec."""
    request = MultiInferenceRequest(input=sent)
    for method_name, spec in tasks:
        request.tasks.add(method_name=method_name, model_spec=spec)
    return request


def answer(method: Callable[[Servable, Any], Any], servable: Servable, request: Any) -> Any:
    """The response, or the code with which the request is refused."""
    try:
        return method(servable, request)
    except RequestError as error:
        return error.code


def any_example() -> st.SearchStrategy[Example]:
    """Features of right and wrong names, kinds and lengths, or none."""
    names = st.one_of(st.sampled_from(["x", "name"]), st.text(max_size=5))
    features = st.one_of(
        st.lists(st.floats(width=32), max_size=3).map(lambda values: Feature(float_list={"value": values})),
        st.lists(st.binary(max_size=20), max_size=3).map(lambda values: Feature(bytes_list={"value": values})),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(
            lambda values: Feature(int64_list={"value": values})
        ),
        st.just(Feature()),
    )
    right = st.fixed_dictionaries(
        {}, optional={"x": st.floats(width=32), "name": st.one_of(st.text(max_size=20), st.binary(max_size=20))}
    )
    chosen = st.dictionaries(names, features, max_size=4)
    return st.one_of(
        right.map(lambda values: example(**values)),
        chosen.map(lambda features: Example(features={"feature": features})),
    )


def inputs() -> st.SearchStrategy[Input]:
    """Of every kind."""
    examples = st.lists(any_example(), max_size=4)
    return st.one_of(
        st.just(Input()),
        examples.map(lambda chosen: example_list(*chosen)),
        st.tuples(any_example(), examples).map(lambda both: with_context(both[0], *both[1])),
    )
