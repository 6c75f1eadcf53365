"""MultiInference answers like TF Serving: TF_SERVING.md, section 6; multi_inference.cc."""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from samples.checkpoints import LABELS
from tests.server.conftest import Refusal
from tests.server.inputs import (
    CLASSIFY,
    REGRESS,
    answer,
    classify_request,
    example,
    example_list,
    inputs,
    model_spec,
    multi_request,
    regress_request,
    text_examples,
    with_context,
)
from tests.server.scorers import SIGNATURES, save_native_scorer
from tfclf.server import serve
from tfclf.server.rpc.inference import classify, multi_inference, regress
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError

TWO = example_list(example(x=0.5, name="a"), example(x=3.0, name="b"))
CLASSES = (CLASSIFY, model_spec())
VALUE = (REGRESS, model_spec(signature="regress"))


def test_each_task_gets_what_its_own_rpc_gives(scorer_stub: PredictionServiceStub) -> None:
    classes, value, column = scorer_stub.MultiInference(
        multi_request(TWO, CLASSES, VALUE, (REGRESS, model_spec(signature="regress_column")))
    ).results
    assert classes.classification_result == scorer_stub.Classify(classify_request(TWO)).result
    assert value.regression_result == scorer_stub.Regress(regress_request(TWO)).result
    assert column.regression_result == value.regression_result


def test_all_tasks_are_answered_by_one_run(scorer_stub: PredictionServiceStub) -> None:
    drawn, draw = scorer_stub.MultiInference(
        multi_request(
            TWO, (CLASSIFY, model_spec(signature="drawn")), (REGRESS, model_spec(signature="draw"))
        )
    ).results
    scores = [row.classes[0].score for row in drawn.classification_result.classifications]
    assert scores == [one.value for one in draw.regression_result.regressions]
    # In two runs the values differ; otherwise the test above would prove nothing.
    again = scorer_stub.Regress(regress_request(TWO, signature="draw"))
    assert scores != [one.value for one in again.result.regressions]


def test_one_task_is_enough(scorer_stub: PredictionServiceStub) -> None:
    (result,) = scorer_stub.MultiInference(multi_request(TWO, VALUE)).results
    assert [one.value for one in result.regression_result.regressions] == [0.5, 3]


def test_the_first_tasks_version_is_asked(
    scorer_stub: PredictionServiceStub, scorer_refusal: Refusal
) -> None:
    elsewhere = (REGRESS, model_spec(signature="regress", version=7))
    response = scorer_stub.MultiInference(multi_request(TWO, CLASSES, elsewhere))
    assert response.results[1].model_spec.version.value == 3
    expected = ("NOT_FOUND", "Servable not found for request: Specific(scorer, 7)")
    assert scorer_refusal(multi_request(TWO, elsewhere, CLASSES)) == expected


@pytest.mark.parametrize(
    "request_",
    [
        MultiInferenceRequest(),
        multi_request(TWO),
        MultiInferenceRequest(input=TWO, tasks=[{"method_name": CLASSIFY}]),
        multi_request(TWO, (CLASSIFY, model_spec("")), VALUE),
    ],
    ids=["empty", "no tasks", "no ModelSpec", "no name"],
)
def test_no_model(scorer_refusal: Refusal, request_: MultiInferenceRequest) -> None:
    assert scorer_refusal(request_) == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


@pytest.mark.parametrize(
    ("second", "details"),
    [
        ((REGRESS, ModelSpec()), "Found ModelSpec with an empty model name."),
        (
            (REGRESS, model_spec("other", signature="regress")),
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ((CLASSIFY, model_spec()), "Duplicate evaluation of signature: serving_default"),
        (
            (REGRESS, model_spec(signature="serving_default")),
            "Duplicate evaluation of signature: serving_default",
        ),
        (
            (REGRESS, model_spec(signature="nothing")),
            "Requested signature not found in model graph: nothing",
        ),
        ((CLASSIFY, model_spec(signature="two_inputs")), "Expected one input Tensor."),
        ((REGRESS, model_spec(signature="two_regress_outputs")), "Expected one output Tensor."),
        (
            (CLASSIFY, model_spec(signature="flat_scores")),
            "Expected Tensor shape: [batch_size num_classes] but got [2]",
        ),
        (
            (REGRESS, model_spec(signature="double_values")),
            "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
        ),
    ],
)
def test_a_second_task_that_cannot_be_answered(
    scorer_refusal: Refusal, second: tuple[str, ModelSpec], details: str
) -> None:
    assert scorer_refusal(multi_request(TWO, CLASSES, second)) == ("INVALID_ARGUMENT", details)


@pytest.mark.parametrize("method_name", ["", "tensorflow/serving/predict", "classify"])
def test_an_unknown_method(scorer_refusal: Refusal, method_name: str) -> None:
    expected = ("UNIMPLEMENTED", f"Unsupported signature method_name: {method_name}")
    assert (
        scorer_refusal(multi_request(TWO, CLASSES, (method_name, model_spec(signature="regress"))))
        == expected
    )


@pytest.mark.parametrize(
    "sent",
    [Input(), example_list(), with_context(example(x=1.0))],
    ids=["no kind", "no examples", "context alone"],
)
def test_no_input(scorer_refusal: Refusal, sent: Input) -> None:
    assert scorer_refusal(multi_request(sent, CLASSES, VALUE)) == (
        "INVALID_ARGUMENT",
        "Input is empty.",
    )


def test_examples_that_the_model_cannot_parse(scorer_refusal: Refusal) -> None:
    code, details = scorer_refusal(
        multi_request(example_list(example(x="no number")), CLASSES, VALUE)
    )
    assert code == "INVALID_ARGUMENT"
    assert "Data types don't match." in details


def test_a_deadline_that_passes(scorer_refusal: Refusal) -> None:
    slow = (REGRESS, model_spec(signature="slow"))
    code, _ = scorer_refusal(
        multi_request(example_list(example(x=1e9)), CLASSES, slow), timeout=0.3
    )
    assert code == "DEADLINE_EXCEEDED"


def test_signatures_with_inputs_of_their_own_get_the_same_examples(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = tmp_path_factory.mktemp("models") / "native"
    save_native_scorer(base / "1")
    tasks = [
        (CLASSIFY, model_spec("native", signature="classify")),
        (REGRESS, model_spec("native", signature="regress")),
    ]
    with serve(base, port=0) as server, grpc.insecure_channel(server.address) as channel:
        stub = PredictionServiceStub(channel)
        classes, value = stub.MultiInference(multi_request(TWO, *tasks)).results
        assert (
            classes.classification_result
            == stub.Classify(ClassificationRequest(model_spec=tasks[0][1], input=TWO)).result
        )
    assert [one.value for one in value.regression_result.regressions] == [0.5, 3]


def test_an_export_answers(short_export: Path) -> None:
    base = short_export.parent
    with serve(base, port=0) as server, grpc.insecure_channel(server.address) as channel:
        stub = PredictionServiceStub(channel)
        sent, spec = (
            text_examples("Oil prices soar", "Cup final tonight"),
            model_spec(base.name, signature="classify"),
        )
        (result,) = stub.MultiInference(multi_request(sent, (CLASSIFY, spec))).results
        assert (
            result.classification_result
            == stub.Classify(ClassificationRequest(model_spec=spec, input=sent)).result
        )
        assert [
            one.label for one in result.classification_result.classifications[0].classes
        ] == list(LABELS)


def test_where_methods_are_checked_each_task_is(strict_scorer: Servable) -> None:
    assert len(multi_inference(strict_scorer, multi_request(TWO, CLASSES, VALUE)).results) == 2
    with pytest.raises(
        RequestError, match=f"method_name to be {CLASSIFY}. Was: tensorflow/serving/predict"
    ):
        multi_inference(
            strict_scorer,
            multi_request(TWO, VALUE, (CLASSIFY, model_spec(signature="made_for_predict"))),
        )


def test_a_request_is_logged_under_the_first_tasks_names(
    scorer_stub: PredictionServiceStub, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="tfclf.server"):
        scorer_stub.MultiInference(multi_request(TWO, VALUE, CLASSES))
    (line,) = caplog.messages
    assert line.startswith(
        "method=MultiInference model='scorer' signature='regress' code=OK milliseconds="
    )


_RIGHT_TASKS = st.sampled_from([CLASSES, VALUE, (CLASSIFY, model_spec(signature="only_scores"))])
_TASKS = st.one_of(
    _RIGHT_TASKS,
    _RIGHT_TASKS,
    st.tuples(
        st.sampled_from([CLASSIFY, REGRESS, ""]),
        st.builds(
            lambda model, signature: model_spec(model, signature=signature),
            st.sampled_from(["scorer", "scorer", "scorer", "other", ""]),
            st.sampled_from(["", "nothing", *sorted({*SIGNATURES} - {"slow"})]),
        ),
    ),
)
_REQUESTS = st.builds(
    lambda sent, tasks: multi_request(sent, *tasks), inputs(), st.lists(_TASKS, max_size=4)
)
_SETTINGS = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_REFUSALS = (StatusCode.INVALID_ARGUMENT, StatusCode.UNIMPLEMENTED)


@_SETTINGS
@given(request=_REQUESTS)
def test_any_request_gets_an_answer_or_a_refusal(
    scorer: Servable, request: MultiInferenceRequest
) -> None:
    outcome = answer(multi_inference, scorer, request)
    assert outcome in _REFUSALS or len(outcome.results) == len(request.tasks)


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        (classify, classify_request(TWO)),
        (regress, regress_request(with_context(example(x=9.0), example(x=0.5)))),
        (multi_inference, multi_request(TWO, CLASSES, VALUE)),
    ],
    ids=["Classify", "Regress", "MultiInference"],
)
@_SETTINGS
@given(
    changes=st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 255)), min_size=1, max_size=3)
)
def test_a_request_with_changed_bytes_gets_an_answer_or_a_refusal(
    scorer: Servable,
    method: Callable[[Servable, Any], Any],
    request_: Any,
    changes: list[tuple[int, int]],
) -> None:
    content = bytearray(request_.SerializeToString())
    for place, byte in changes:
        content[place % len(content)] = byte
    with suppress(DecodeError):  # which gRPC answers by itself
        outcome = answer(method, scorer, type(request_).FromString(bytes(content)))
        assert not isinstance(outcome, StatusCode) or outcome in _REFUSALS
