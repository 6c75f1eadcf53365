"""Regress answers like TF Serving: TF_SERVING.md, sections 5 and 6; regressor.cc."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.apis.regression_pb2 import RegressionResponse

from tests.server.conftest import Refusal, predict_request, strings
from tests.server.inputs import (
    REGRESS,
    SOME_TEXTS,
    answer,
    example,
    example_list,
    inputs,
    regress_request,
    text_examples,
    with_context,
)
from tests.server.scorers import SIGNATURES
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve
from tfclf.server.rpc.inference import regress
from tfclf.server.rpc.predict import predict
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError

TWO = example_list(example(x=0.5), example(x=-3.0))


def read_values(response: RegressionResponse) -> list[float]:
    return [one.value for one in response.result.regressions]


@pytest.fixture(scope="module")
def value_stub(regression_export: Path) -> Iterator[PredictionServiceStub]:
    base = regression_export.parent
    with serve(base, port=0) as server, grpc.insecure_channel(server.address) as channel:
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def value_model(regression_export: Path) -> Iterator[Servable]:
    servable = Servable.load("value", 1, regression_export)
    yield servable
    servable.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, 1e-45, 3.4e38])
def test_values_keep_their_bits(scorer_stub: PredictionServiceStub, value: float) -> None:
    (actual,) = read_values(scorer_stub.Regress(regress_request(example_list(example(x=value)))))
    assert np.float32(actual).tobytes() == np.float32(value).tobytes()


def test_the_default_signature_is_asked_where_none_is_named(scorer_refusal: Refusal) -> None:
    # The default signature has two outputs: it classifies.
    assert scorer_refusal(regress_request(TWO, signature="")) == (
        "INVALID_ARGUMENT",
        "Expected one output Tensor.",
    )


@pytest.mark.parametrize(
    "sent",
    [Input(), example_list(), with_context(example(x=1.0))],
    ids=["no kind", "no examples", "context alone"],
)
def test_no_input(scorer_refusal: Refusal, sent: Input) -> None:
    assert scorer_refusal(regress_request(sent)) == ("INVALID_ARGUMENT", "Input is empty.")


@pytest.mark.parametrize(
    ("signature", "details"),
    [
        ("two_regress_inputs", "Expected one input Tensor."),
        ("two_regress_outputs", "Expected one output Tensor."),
        (
            "wide_values",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            "[2,2]",
        ),
        (
            "scalar_value",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []",
        ),
        ("one_value", "Input batch size did not match output batch size: 2 vs. 1"),
        ("double_values", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    ],
)
def test_a_model_that_gives_no_values(
    scorer_refusal: Refusal, signature: str, details: str
) -> None:
    assert scorer_refusal(regress_request(TWO, signature=signature)) == (
        "INVALID_ARGUMENT",
        details,
    )


@pytest.mark.parametrize(
    ("signature", "start"),
    [
        (
            "other_regress_input",
            'No regression inputs found in SignatureDef: inputs {\n  key: "examples"\n',
        ),
        (
            "other_regress_outputs",
            'No regression outputs found in SignatureDef: inputs {\n  key: "inputs"\n',
        ),
    ],
)
def test_a_signature_of_other_names(scorer_refusal: Refusal, signature: str, start: str) -> None:
    code, details = scorer_refusal(regress_request(TWO, signature=signature))
    assert code == "INVALID_ARGUMENT"
    assert details.startswith(start)


def test_an_error_of_the_graph_keeps_its_code_and_message(scorer_refusal: Refusal) -> None:
    sent = example_list(example(x=float("nan")))
    code, details = scorer_refusal(regress_request(sent, signature="checked"))
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("x is no number : Tensor had NaN values")


def test_a_deadline_that_passes(scorer_refusal: Refusal) -> None:
    sent = example_list(example(x=1e9))
    assert (
        scorer_refusal(regress_request(sent, signature="slow"), timeout=0.3)[0]
        == "DEADLINE_EXCEEDED"
    )


def test_where_methods_are_checked_a_signature_answers_its_own_alone(
    strict_scorer: Servable,
) -> None:
    assert read_values(regress(strict_scorer, regress_request(TWO))) == [0.5, -3]
    with pytest.raises(RequestError) as raised:
        regress(strict_scorer, regress_request(TWO, signature="only_scores"))
    assert raised.value.code is StatusCode.INVALID_ARGUMENT
    assert raised.value.message == (
        f"Expected regression signature method_name to be {REGRESS}. Was: "
        "tensorflow/serving/classify"
    )


def test_where_methods_are_not_checked_a_signature_answers_whatever_it_is_made_for(
    scorer: Servable,
) -> None:
    assert read_values(regress(scorer, regress_request(TWO, signature="made_for_nothing"))) == [
        0.5,
        -3,
    ]


def test_an_export_of_a_regression_gives_the_value_of_predict(
    value_stub: PredictionServiceStub,
) -> None:
    response = value_stub.Regress(regress_request(text_examples(*HEADLINES), "value"))
    predicted = value_stub.Predict(predict_request({"text": strings(*HEADLINES)}, model="value"))
    np.testing.assert_array_equal(
        read_values(response), tf.make_ndarray(predicted.outputs["score"])
    )
    assert response.model_spec.signature_name == "regress"


_SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_SETTINGS
@given(texts=SOME_TEXTS)
def test_any_texts_get_the_values_of_predict(
    value_model: Servable, texts: list[str | bytes]
) -> None:
    response = regress(value_model, regress_request(text_examples(*texts), "value"))
    predicted = predict(value_model, predict_request({"text": strings(*texts)}, model="value"))
    np.testing.assert_allclose(
        read_values(response), tf.make_ndarray(predicted.outputs["score"]), atol=1e-5
    )


@_SETTINGS
@given(sent=inputs(), signature=st.sampled_from([*sorted({*SIGNATURES} - {"slow"}), "nothing"]))
def test_any_input_gets_an_answer_or_a_refusal(
    scorer: Servable, sent: Input, signature: str
) -> None:
    outcome = answer(regress, scorer, regress_request(sent, signature=signature))
    examples = sent.example_list.examples or sent.example_list_with_context.examples
    assert outcome is StatusCode.INVALID_ARGUMENT or len(outcome.result.regressions) == len(
        examples
    )
