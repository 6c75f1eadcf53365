"""Classify, Regress and MultiInference over gRPC."""

from collections.abc import Mapping
from typing import Any

import pytest
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.server.conformance.engines import Served
from tests.server.messages import (
    CLASSIFY,
    REGRESS,
    classify_request,
    example,
    example_list,
    model_spec,
    multi_request,
    regress_request,
    with_context,
)

TWO = example_list(example(x=0.5, name="a"), example(x=3.0, name="b"))
CONTEXT = with_context(
    example(name="shared", x=9.0), example(x=0.5), Example(), example(name="own")
)
CLASSES = (CLASSIFY, model_spec())
VALUE = (REGRESS, model_spec(signature="regress"))


def read_classes(served: Served, request: ClassificationRequest) -> list[list[tuple[str, float]]]:
    rows = served.stub.Classify(request).result.classifications
    return [[(one.label, one.score) for one in row.classes] for row in rows]


def read_values(served: Served, request: RegressionRequest) -> list[float]:
    return [one.value for one in served.stub.Regress(request).result.regressions]


def test_classify_gives_each_example_its_classes_and_scores(served: Served) -> None:
    expected = [[("a", 0.5), ("not a", 0.25)], [("b", 3.0), ("not b", 1.5)]]
    assert read_classes(served, classify_request(TWO)) == expected


def test_classify_without_scores_gives_zeros(served: Served) -> None:
    expected = [[("a", 0), ("not a", 0)], [("b", 0), ("not b", 0)]]
    assert read_classes(served, classify_request(TWO, signature="only_classes")) == expected


def test_classify_without_classes_gives_scores_alone(served: Served) -> None:
    expected = [[("", 0.5), ("", 0.25)], [("", 3.0), ("", 1.5)]]
    assert read_classes(served, classify_request(TWO, signature="only_scores")) == expected


@pytest.mark.parametrize("signature", ["regress", "regress_column"])
def test_regress_gives_each_example_its_value(served: Served, signature: str) -> None:
    assert read_values(served, regress_request(TWO, signature=signature)) == [0.5, 3]


def test_signatures_of_tf2_answer_though_they_are_written_for_predict(served: Served) -> None:
    assert read_classes(served, classify_request(TWO, "native", signature="classify"))[0] == [
        ("a", 0.5),
        ("a", -0.5),
    ]
    assert read_values(served, regress_request(TWO, "native")) == [0.5, 3]


def test_a_context_stands_in_for_what_an_example_lacks(served: Served) -> None:
    first = [row[0] for row in read_classes(served, classify_request(CONTEXT))]
    assert first == [("shared", 0.5), ("shared", 9.0), ("own", 9.0)]
    assert read_values(served, regress_request(CONTEXT)) == [0.5, 9, 9]
    (result,) = served.stub.MultiInference(multi_request(CONTEXT, VALUE)).results
    assert [one.value for one in result.regression_result.regressions] == [0.5, 9, 9]


def test_classify_and_regress_echo_the_effective_signature(served: Served) -> None:
    for spec, signature in [
        (served.stub.Classify(classify_request(TWO)).model_spec, "serving_default"),
        (served.stub.Regress(regress_request(TWO)).model_spec, "regress"),
    ]:
        assert (spec.name, spec.version.value, spec.signature_name) == ("scorer", 3, signature)


def test_multi_inference_gives_what_each_task_s_own_rpc_gives(served: Served) -> None:
    classified, value = served.stub.MultiInference(multi_request(TWO, CLASSES, VALUE)).results
    assert classified.classification_result == served.stub.Classify(classify_request(TWO)).result
    assert value.regression_result == served.stub.Regress(regress_request(TWO)).result


def test_multi_inference_keeps_the_order_of_the_tasks_and_echoes_their_signatures(
    served: Served,
) -> None:
    results = served.stub.MultiInference(multi_request(TWO, VALUE, CLASSES)).results
    kinds = [(one.WhichOneof("result"), one.model_spec.signature_name) for one in results]
    assert kinds == [("regression_result", "regress"), ("classification_result", "serving_default")]
    assert [one.model_spec.version.value for one in results] == [3, 3]


def test_multi_inference_answers_all_tasks_by_one_run(served: Served) -> None:
    drawn = (CLASSIFY, model_spec(signature="drawn"))
    both = served.stub.MultiInference(
        multi_request(TWO, drawn, (REGRESS, model_spec(signature="draw")))
    ).results
    scores = [row.classes[0].score for row in both[0].classification_result.classifications]
    assert scores == [one.value for one in both[1].regression_result.regressions]


def test_multi_inference_feeds_signatures_that_have_inputs_of_their_own(served: Served) -> None:
    elsewhere = (REGRESS, model_spec(signature="elsewhere"))
    classes, value = served.stub.MultiInference(multi_request(TWO, CLASSES, elsewhere)).results
    assert classes.classification_result == served.stub.Classify(classify_request(TWO)).result
    assert [one.value for one in value.regression_result.regressions] == [0.5, 3]


EMPTY: Mapping[str, Input] = {
    "no kind": Input(),
    "no examples": example_list(),
    "a context alone": with_context(example(x=1.0)),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_an_empty_input_is_refused(served: Served, kind: str) -> None:
    expected = ("INVALID_ARGUMENT", "Input is empty.")
    assert served.refusal("Classify", classify_request(EMPTY[kind])) == expected
    assert served.refusal("Regress", regress_request(EMPTY[kind])) == expected
    assert served.refusal("MultiInference", multi_request(EMPTY[kind], CLASSES, VALUE)) == expected


_UNKNOWN: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "empty name": ({"model": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": (
        {"model": "nobody"},
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown version": (
        {"version": 7},
        "NOT_FOUND",
        "Servable not found for request: Specific(scorer, 7)",
    ),
    "unknown label": (
        {"label": "canary"},
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    ),
}


@pytest.mark.parametrize("case", _UNKNOWN)
def test_an_unknown_model_is_refused_by_all_three(served: Served, case: str) -> None:
    spec, code, details = _UNKNOWN[case]
    assert served.refusal("Classify", classify_request(TWO, **spec)) == (code, details)
    assert served.refusal("Regress", regress_request(TWO, **spec)) == (code, details)
    assert served.refusal("MultiInference", multi_request(TWO, (CLASSIFY, model_spec(**spec)))) == (
        code,
        details,
    )


def test_a_missing_model_spec_is_refused(served: Served) -> None:
    expected = ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert served.refusal("Classify", ClassificationRequest(input=TWO)) == expected
    assert served.refusal("Regress", RegressionRequest(input=TWO)) == expected


def test_an_unknown_signature_is_refused(served: Served) -> None:
    expected = ("INVALID_ARGUMENT", "No signature was found with the name: S")
    assert served.refusal("Classify", classify_request(TWO, signature="S")) == expected
    assert served.refusal("Regress", regress_request(TWO, signature="S")) == expected


@pytest.mark.parametrize(
    ("signature", "details"),
    [
        ("two_inputs", "Expected one input Tensor."),
        ("three_outputs", "Expected one or two output Tensors, found 3"),
        ("flat_classes", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("whole_classes", "Expected classes Tensor of DT_STRING. Got: DT_INT32"),
        ("double_scores", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ("one_row_of_classes", "Expected classes output batch size of 2. Got: 1"),
        ("three_classes", "Tensors class and score should match in dim_size(1). Got 3 vs. 2"),
    ],
)
def test_classify_refuses_a_signature_of_another_form(
    served: Served, signature: str, details: str
) -> None:
    assert served.refusal("Classify", classify_request(TWO, signature=signature)) == (
        "INVALID_ARGUMENT",
        details,
    )


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
        ("one_value", "Input batch size did not match output batch size: 2 vs. 1"),
        ("double_values", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    ],
)
def test_regress_refuses_a_signature_of_another_form(
    served: Served, signature: str, details: str
) -> None:
    assert served.refusal("Regress", regress_request(TWO, signature=signature)) == (
        "INVALID_ARGUMENT",
        details,
    )


_MULTI: Mapping[str, tuple[MultiInferenceRequest, str, str]] = {
    "no tasks": (multi_request(TWO), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "two models": (
        multi_request(TWO, CLASSES, (REGRESS, model_spec("native", signature="regress"))),
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "one signature twice": (
        multi_request(TWO, VALUE, VALUE),
        "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: regress",
    ),
    "an unknown signature": (
        multi_request(TWO, (CLASSIFY, model_spec(signature="S"))),
        "INVALID_ARGUMENT",
        "Requested signature not found in model graph: S",
    ),
    "another method": (
        multi_request(TWO, ("tensorflow/serving/predict", model_spec())),
        "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
}


@pytest.mark.parametrize("case", _MULTI)
def test_multi_inference_refuses_tasks_that_do_not_fit_together(served: Served, case: str) -> None:
    request, code, details = _MULTI[case]
    assert served.refusal("MultiInference", request) == (code, details)


def test_examples_that_the_graph_cannot_parse_are_refused(served: Served) -> None:
    code, details = served.refusal(
        "Classify", classify_request(example_list(example(x="no number")))
    )
    assert code == "INVALID_ARGUMENT"
    assert "Data types don't match" in details
