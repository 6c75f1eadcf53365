"""Classify answers like TF Serving: TF_SERVING.md, sections 5 and 6; classifier.cc."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.classification_pb2 import ClassificationResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from samples.checkpoints import LABELS
from tests.server.conftest import Refusal, predict_request, strings
from tests.server.inputs import (
    CLASSIFY,
    SOME_TEXTS,
    answer,
    any_example,
    classify_request,
    example,
    example_list,
    inputs,
    text_examples,
    with_context,
)
from tests.server.scorers import SIGNATURES, save_native_scorer
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve
from tfclf.server.rpc import examples
from tfclf.server.rpc.inference import classify
from tfclf.server.rpc.predict import predict
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError

ONE = example_list(example(x=0.5, name="a"))
TWO = example_list(example(x=0.5, name="a"), example(x=3.0, name="b"))
EXPORT = "short"


def read_rows(response: ClassificationResponse) -> list[list[tuple[str, float]]]:
    return [
        [(one.label, one.score) for one in row.classes] for row in response.result.classifications
    ]


@pytest.fixture(scope="module")
def native_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PredictionServiceStub]:
    base = tmp_path_factory.mktemp("models") / "native"
    save_native_scorer(base / "1")
    with serve(base, port=0) as server, grpc.insecure_channel(server.address) as channel:
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def export_stub(short_export: Path) -> Iterator[PredictionServiceStub]:
    with (
        serve(short_export.parent, port=0) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def export(short_export: Path) -> Iterator[Servable]:
    servable = Servable.load(EXPORT, 1, short_export)
    yield servable
    servable.close()


def test_classes_without_scores(scorer_stub: PredictionServiceStub) -> None:
    response = scorer_stub.Classify(classify_request(ONE, signature="only_classes"))
    assert read_rows(response) == [[("a", 0), ("not a", 0)]]


def test_classes_beside_an_output_that_is_no_scores(scorer_stub: PredictionServiceStub) -> None:
    response = scorer_stub.Classify(classify_request(ONE, signature="classes_beside_other"))
    assert read_rows(response) == [[("a", 0), ("not a", 0)]]


def test_no_classes_at_all(scorer_stub: PredictionServiceStub) -> None:
    assert read_rows(scorer_stub.Classify(classify_request(TWO, signature="no_classes"))) == [
        [],
        [],
    ]


def test_one_tensor_under_both_names_is_taken_for_classes(
    scorer_stub: PredictionServiceStub,
) -> None:
    response = scorer_stub.Classify(classify_request(ONE, signature="same_tensor_twice"))
    assert read_rows(response) == [[("a", 0), ("not a", 0)]]


def test_labels_keep_their_characters(scorer_stub: PredictionServiceStub) -> None:
    label = "caf\u00e9 \u6771\u4eac\0"
    assert (
        read_rows(scorer_stub.Classify(classify_request(example_list(example(name=label)))))[0][0][
            0
        ]
        == label
    )


def test_a_label_that_is_no_text_can_be_read(scorer_stub: PredictionServiceStub) -> None:
    assert (
        read_rows(scorer_stub.Classify(classify_request(example_list(example(name=b"a\xff")))))[0][
            0
        ][0]
        == "a\ufffd"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, 1e-45, 3.4e38])
def test_scores_keep_their_bits(scorer_stub: PredictionServiceStub, value: float) -> None:
    response = scorer_stub.Classify(classify_request(example_list(example(x=value))))
    assert np.float32(read_rows(response)[0][0][1]).tobytes() == np.float32(value).tobytes()


def test_a_signature_of_tf2_answers_though_it_is_written_for_predict(
    native_stub: PredictionServiceStub,
) -> None:
    response = native_stub.Classify(classify_request(ONE, "native", signature="classify"))
    assert read_rows(response) == [[("a", 0.5), ("a", -0.5)]]


def test_a_feature_without_a_kind_does_not_hide_the_contexts(
    scorer_stub: PredictionServiceStub,
) -> None:
    """Here concatenation, TF Serving's way too, differs from protobuf's merge."""
    sent = with_context(example(name="shared"), Example(features={"feature": {"name": {}}}))
    assert read_rows(scorer_stub.Classify(classify_request(sent)))[0][0][0] == "shared"


def test_an_empty_context_changes_nothing(scorer_stub: PredictionServiceStub) -> None:
    sent = with_context(Example(), *TWO.example_list.examples)
    assert scorer_stub.Classify(classify_request(sent)) == scorer_stub.Classify(
        classify_request(TWO)
    )


def test_many_examples(scorer_stub: PredictionServiceStub) -> None:
    sent = example_list(*(example(x=float(row), name=str(row)) for row in range(10_000)))
    actual = read_rows(scorer_stub.Classify(classify_request(sent)))
    assert [row[0] for row in actual] == [(str(row), float(row)) for row in range(10_000)]


def test_model_spec_is_echoed_with_the_signature_that_was_asked_for(
    scorer_stub: PredictionServiceStub,
) -> None:
    spec = scorer_stub.Classify(
        classify_request(ONE, version=3, signature="only_scores")
    ).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("scorer", 3, "only_scores")


def test_a_model_without_a_default_signature(native_stub: PredictionServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        native_stub.Classify(classify_request(ONE, "native"))
    assert raised.value.details() == "No signature was found with the name: serving_default"


@pytest.mark.parametrize(
    "sent",
    [Input(), example_list(), with_context(Example()), with_context(example(name="a"))],
    ids=["no kind", "no examples", "empty context", "context alone"],
)
def test_no_input(scorer_refusal: Refusal, sent: Input) -> None:
    assert scorer_refusal(classify_request(sent)) == ("INVALID_ARGUMENT", "Input is empty.")


def test_a_wrong_signature_comes_before_an_empty_input(scorer_refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "Expected one input Tensor.")
    assert scorer_refusal(classify_request(Input(), signature="two_inputs")) == expected


@pytest.mark.parametrize(
    ("signature", "details"),
    [
        ("two_inputs", "Expected one input Tensor."),
        ("three_outputs", "Expected one or two output Tensors, found 3"),
        ("flat_classes", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("flat_scores", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("scalar_scores", "Expected Tensor shape: [batch_size num_classes] but got []"),
        ("whole_classes", "Expected classes Tensor of DT_STRING. Got: DT_INT32"),
        ("double_scores", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ("one_row_of_classes", "Expected classes output batch size of 2. Got: 1"),
        ("one_row_of_scores", "Expected scores output batch size of 2. Got: 1"),
        ("three_classes", "Tensors class and score should match in dim_size(1). Got 3 vs. 2"),
    ],
)
def test_a_model_that_does_not_classify(
    scorer_refusal: Refusal, signature: str, details: str
) -> None:
    assert scorer_refusal(classify_request(TWO, signature=signature)) == (
        "INVALID_ARGUMENT",
        details,
    )


def test_an_input_of_another_name(scorer_refusal: Refusal) -> None:
    code, details = scorer_refusal(classify_request(ONE, signature="other_input"))
    assert code == "INVALID_ARGUMENT"
    assert details.startswith(
        'No classification inputs found in SignatureDef: inputs {\n  key: "examples"\n'
        '  value {\n    name: "tf_example:0"\n    dtype: DT_STRING\n    tensor_shape {\n'
    )


def test_outputs_of_other_names(scorer_refusal: Refusal) -> None:
    code, details = scorer_refusal(classify_request(ONE, signature="other_outputs"))
    assert code == "INVALID_ARGUMENT"
    assert details.startswith(
        'Expected classification signature outputs to contain at least one of "classes" or '
        '"scores". '
        'Signature was: inputs {\n  key: "inputs"\n'
    )


def test_examples_that_the_model_cannot_parse(scorer_refusal: Refusal) -> None:
    code, details = scorer_refusal(classify_request(example_list(example(x="no number"))))
    assert code == "INVALID_ARGUMENT"
    assert "Key: x, Index: 0.  Data types don't match." in details


def test_a_long_error_is_cut(scorer_refusal: Refusal) -> None:
    expected = "No signature was found with the name: " + "x" * 5_000
    assert (
        scorer_refusal(classify_request(ONE, signature="x" * 5_000))[1]
        == expected[:1024] + "...TRUNCATED"
    )


def test_a_context_that_would_fill_the_memory(scorer: Servable) -> None:
    sent = with_context(example(name="x" * 1_000_000), *[Example()] * 1_000)
    with pytest.raises(
        RequestError, match=r"A context of 1,000,\d+ bytes for 1,000 examples"
    ) as raised:
        classify(scorer, classify_request(sent))
    assert raised.value.code is StatusCode.INVALID_ARGUMENT


def test_a_context_of_one_example_may_be_as_long_as_it_likes(
    scorer: Servable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MOST_REPEATED_BYTES", 100)
    name = "x" * 1_000
    assert (
        read_rows(classify(scorer, classify_request(with_context(example(name=name), Example()))))[
            0
        ][0][0]
        == name
    )
    assert answer(
        classify, scorer, classify_request(with_context(example(name=name), Example(), Example()))
    ) is (StatusCode.INVALID_ARGUMENT)


def test_where_methods_are_checked_a_signature_answers_its_own_alone(
    strict_scorer: Servable,
) -> None:
    assert read_rows(classify(strict_scorer, classify_request(ONE))) == [
        [("a", 0.5), ("not a", 0.25)]
    ]
    with pytest.raises(RequestError) as raised:
        classify(strict_scorer, classify_request(ONE, signature="made_for_predict"))
    assert raised.value.code is StatusCode.INVALID_ARGUMENT
    assert raised.value.message == (
        f"Expected classification signature method_name to be {CLASSIFY}. Was: "
        "tensorflow/serving/predict"
    )


def test_where_methods_are_not_checked_a_signature_answers_whatever_it_is_made_for(
    scorer: Servable,
) -> None:
    response = classify(scorer, classify_request(ONE, signature="made_for_predict"))
    assert read_rows(response) == [[("", 0.5), ("", 0.25)]]


def test_where_methods_are_checked_predict_takes_all_three(strict_scorer: Servable) -> None:
    sent = {"inputs": strings(ONE.example_list.examples[0].SerializeToString())}
    for signature in ("serving_default", "regress", "made_for_predict"):
        predict(strict_scorer, predict_request(sent, signature=signature))
    with pytest.raises(RequestError) as raised:
        predict(strict_scorer, predict_request(sent, signature="made_for_nothing"))
    assert raised.value.code is StatusCode.INTERNAL
    assert raised.value.message == (
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: "
    )


def test_an_export_gives_the_checkpoints_labels_in_order(
    export_stub: PredictionServiceStub,
) -> None:
    response = export_stub.Classify(
        classify_request(text_examples(*HEADLINES), EXPORT, signature="classify")
    )
    assert [[label for label, _ in row] for row in read_rows(response)] == [list(LABELS)] * len(
        HEADLINES
    )


def test_an_export_gives_the_probabilities_of_predict(export_stub: PredictionServiceStub) -> None:
    response = export_stub.Classify(
        classify_request(text_examples(*HEADLINES), EXPORT, signature="classify")
    )
    predicted = export_stub.Predict(predict_request({"text": strings(*HEADLINES)}, model=EXPORT))
    expected = tf.make_ndarray(predicted.outputs["probabilities"])
    np.testing.assert_array_equal(
        [[score for _, score in row] for row in read_rows(response)], expected
    )


def test_the_default_signature_of_an_export_is_not_for_classify(
    export_stub: PredictionServiceStub,
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        export_stub.Classify(classify_request(text_examples("a"), EXPORT))
    assert raised.value.details() == "Expected one or two output Tensors, found 4"


_SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_SETTINGS
@given(texts=SOME_TEXTS)
def test_any_texts_get_the_probabilities_of_predict(
    export: Servable, texts: list[str | bytes]
) -> None:
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    response = classify(
        export, classify_request(text_examples(*encoded), EXPORT, signature="classify")
    )
    predicted = predict(export, predict_request({"text": strings(*encoded)}, model=EXPORT))
    expected = tf.make_ndarray(predicted.outputs["probabilities"])
    np.testing.assert_allclose(
        [[score for _, score in row] for row in read_rows(response)], expected, atol=1e-6
    )


@_SETTINGS
@given(sent=inputs(), signature=st.sampled_from([*sorted({*SIGNATURES} - {"slow"}), "nothing"]))
def test_any_input_gets_an_answer_or_a_refusal(
    scorer: Servable, sent: Input, signature: str
) -> None:
    outcome = answer(classify, scorer, classify_request(sent, signature=signature))
    batch = len(sent.example_list.examples or sent.example_list_with_context.examples)
    assert outcome is StatusCode.INVALID_ARGUMENT or len(outcome.result.classifications) == batch


@_SETTINGS
@given(context=any_example(), own=any_example())
def test_a_context_is_merged_as_protobuf_merges(
    scorer: Servable, context: Example, own: Example
) -> None:
    assume(all(feature.WhichOneof("kind") for feature in own.features.feature.values()))
    merged = Example()
    merged.CopyFrom(context)
    merged.MergeFrom(own)

    actual = answer(classify, scorer, classify_request(with_context(context, own)))
    expected = answer(classify, scorer, classify_request(example_list(merged)))
    if isinstance(expected, StatusCode):
        assert actual is expected
    else:  # NaN is not equal to itself, its bytes are
        assert actual.SerializeToString() == expected.SerializeToString()
