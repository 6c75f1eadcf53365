"""Requests of Classify, Regress and MultiInference."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow_serving.apis.input_pb2 import Input

from tests.server.messages import (
    CLASSIFY,
    REGRESS,
    classify_request,
    example,
    example_list,
    model_spec,
    multi_request,
    regress_request,
    text_examples,
    with_context,
)
from tfclf.sample_texts import HEADLINES
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError

__all__ = [
    "CLASSIFY",
    "REGRESS",
    "SOME_TEXTS",
    "answer",
    "any_example",
    "classify_request",
    "example",
    "example_list",
    "inputs",
    "model_spec",
    "multi_request",
    "regress_request",
    "text_examples",
    "with_context",
]

# Texts as Classify and Regress of an export take them; bytes need not be UTF-8.
SOME_TEXTS = st.lists(
    st.one_of(st.text(), st.binary(), st.sampled_from(HEADLINES)), min_size=1, max_size=6
)


def answer(method: Callable[[Servable, Any], Any], servable: Servable, request: Any) -> Any:
    """Return the response, or the code of the refusal."""
    try:
        return method(servable, request)
    except RequestError as error:
        return error.code


def any_example() -> st.SearchStrategy[Example]:
    """Draw a tf.Example with right and wrong features: names, kinds, lengths; or with none."""
    names = st.one_of(st.sampled_from(["x", "name"]), st.text(max_size=5))
    features = st.one_of(
        st.lists(st.floats(width=32), max_size=3).map(
            lambda values: Feature(float_list={"value": values})
        ),
        st.lists(st.binary(max_size=20), max_size=3).map(
            lambda values: Feature(bytes_list={"value": values})
        ),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(
            lambda values: Feature(int64_list={"value": values})
        ),
        st.just(Feature()),
    )
    right = st.fixed_dictionaries(
        {},
        optional={
            "x": st.floats(width=32),
            "name": st.one_of(st.text(max_size=20), st.binary(max_size=20)),
        },
    )
    chosen = st.dictionaries(names, features, max_size=4)
    return st.one_of(
        right.map(lambda values: example(**values)),
        chosen.map(lambda features: Example(features={"feature": features})),
    )


def inputs() -> st.SearchStrategy[Input]:
    """Draw an Input of any kind."""
    examples = st.lists(any_example(), max_size=4)
    return st.one_of(
        st.just(Input()),
        examples.map(lambda chosen: example_list(*chosen)),
        st.tuples(any_example(), examples).map(lambda both: with_context(both[0], *both[1])),
    )
