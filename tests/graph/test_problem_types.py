"""Single label, multi-label, regression: activation, outputs, signatures and certificate."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2
from typer.testing import CliRunner

import tfclf
from samples.checkpoints import LABELS, edit_json, tiny_checkpoint
from tfclf import loader, verifier
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.cli.evaluate.command import evaluate as evaluate_command
from tfclf.cli.predict.command import predict as predict_command
from tfclf.errors import CheckpointError, InputError
from tfclf.families import known
from tfclf.graph.build import ENGINES
from tfclf.sample_texts import HEADLINES

NAMED = {"0": "similarity"}
# Sizes of a DistilBERT whose export, load and verify are quick.
_SMALL: dict[str, Any] = {"n_layers": 1, "max_position_embeddings": 64}


@pytest.fixture(scope="module", params=sorted(known()))
def regression(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with one label and no problem type."""
    return tiny_checkpoint(
        tmp_path_factory.mktemp(request.param) / "checkpoint", request.param, id2label=NAMED
    )


@pytest.fixture(scope="module")
def classifier(regression: Path) -> tfclf.Classifier:
    return tfclf.load(regression)


@pytest.fixture(scope="module", params=ENGINES)
def value_model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A regression's export, and its checkpoint."""
    if request.param == "lean":
        export: Path = request.getfixturevalue("regression_export")
        return export, export.parents[1] / "checkpoint"
    folder = tmp_path_factory.mktemp(request.param)
    source = tiny_checkpoint(
        folder / "checkpoint", id2label=NAMED, problem_type="regression", **_SMALL
    )
    return tfclf.export(source, folder / "model", engine=request.param), source


@pytest.fixture(scope="module")
def value_classifier(value_model: tuple[Path, Path]) -> tfclf.Classifier:
    return tfclf.load(value_model[0])


@pytest.fixture
def own_value_model(
    value_model: tuple[Path, Path],
    value_classifier: tfclf.Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Path, Path]:
    """Copies that the test may change; `verify` takes the graph that is loaded already."""
    monkeypatch.setattr(verifier, "load_export", lambda *_, **__: value_classifier)
    path, source = value_model
    return (
        Path(shutil.copytree(path, tmp_path / "export" / "1")),
        Path(shutil.copytree(source, tmp_path / "checkpoint")),
    )


@pytest.mark.sample("distilbert", "roberta")
def test_a_regression_gives_the_originals_value(
    regression: Path, classifier: tfclf.Classifier
) -> None:
    inputs = classifier.tokenize(HEADLINES)
    mask = tf.sequence_mask(inputs.row_lengths(), dtype=tf.int32)
    model = open_checkpoint(regression).load_model()
    expected = model({"input_ids": inputs.to_tensor(0), "attention_mask": mask}).logits.numpy()
    outputs = classifier(HEADLINES)
    np.testing.assert_allclose(outputs["score"].numpy(), expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(outputs["logits"].numpy(), expected, atol=1e-5)


@pytest.mark.sample("distilbert")
def test_a_regression_has_no_probabilities_and_keeps_its_label(
    classifier: tfclf.Classifier,
) -> None:
    assert set(classifier(HEADLINES)) == {"label", "score", "logits"}
    prediction = classifier.predict(HEADLINES)[0]
    assert (prediction.label, prediction.probabilities) == ("similarity", None)
    assert set(prediction.to_dict()) == {"label", "score", "truncated"}
    assert list(tfclf.to_pandas([prediction]).columns) == ["label", "score", "truncated"]


@pytest.mark.sample("lean")
def test_a_regression_reads_pairs_and_windows(value_classifier: tfclf.Classifier) -> None:
    classifier = value_classifier
    values = classifier.call_pairs(HEADLINES, HEADLINES[::-1])
    predictions = classifier.predict(HEADLINES, pairs=HEADLINES[::-1])
    scores = [one.score for one in predictions]
    np.testing.assert_allclose(scores, values["logits"].numpy()[:, 0], atol=1e-6)
    assert [
        one.windows for one in classifier.predict(["news " * 100], long="windows", stride=0)
    ] == [2]


@pytest.mark.sample("lean")
def test_an_export_of_a_regression_has_regress_in_the_place_of_classify(
    value_model: tuple[Path, Path],
) -> None:
    model = saved_model_pb2.SavedModel.FromString((value_model[0] / "saved_model.pb").read_bytes())
    signatures = model.meta_graphs[0].signature_def
    assert "classify" not in signatures
    regress = signatures["regress"]
    assert regress.method_name == "tensorflow/serving/regress"
    assert (list(regress.inputs), list(regress.outputs)) == (["inputs"], ["outputs"])
    assert set(signatures["serving_default"].outputs) == {"label", "score", "logits"}
    assert set(signatures["encode"].outputs) == {"logits"}


@pytest.mark.sample("lean")
def test_regress_and_its_warm_up_give_the_value(value_model: tuple[Path, Path]) -> None:
    loaded = tf.saved_model.load(str(value_model[0]))
    kinds = []
    for record in tf.data.TFRecordDataset(
        str(value_model[0] / "assets.extra" / "tf_serving_warmup_requests")
    ):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        kinds.append(log.WhichOneof("log_type"))
        if kinds[-1] == "regress_log":
            examples = log.regress_log.request.input.example_list.examples
            texts = [example.features.feature["text"].bytes_list.value[0] for example in examples]
            outputs = loaded.signatures["regress"](
                inputs=tf.constant([one.SerializeToString() for one in examples])
            )
            expected = loaded.signatures["serving_default"](text=tf.constant(texts))[
                "score"
            ].numpy()
            np.testing.assert_allclose(
                outputs["outputs"].numpy(), expected[:, np.newaxis], atol=1e-6
            )
    assert set(kinds) == {"predict_log", "regress_log"}


@pytest.mark.sample("lean")
def test_verify_proves_a_regression(own_value_model: tuple[Path, Path]) -> None:
    certificate = tfclf.verify(*own_value_model, texts=HEADLINES)
    assert certificate.equal
    assert certificate.pairs == len(HEADLINES)
    assert certificate.agreement["float32"].largest_probability_difference is None


def test_verify_proves_a_multi_label_model(
    multi_label_export: Path, multi_label_checkpoint: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(multi_label_export, tmp_path / "1")
    certificate = tfclf.verify(path, multi_label_checkpoint, HEADLINES)
    assert certificate.equal
    assert 0 < certificate.agreement["float32"].largest_probability_difference < 1e-6  # type: ignore[operator]


@pytest.mark.sample("lean")
def test_verify_catches_another_problem_type(own_value_model: tuple[Path, Path]) -> None:
    path, source = own_value_model
    edit_json(source / "config.json", problem_type="multi_label_classification")
    certificate = tfclf.verify(path, source, HEADLINES)
    assert not certificate.equal
    assert certificate.differences[0].what == "problem_type"


@pytest.mark.sample("lean")
@pytest.mark.parametrize("engine", ENGINES)
def test_multi_label_probabilities_are_independent(own_checkpoint: Path, engine: str) -> None:
    edit_json(own_checkpoint / "config.json", problem_type="multi_label_classification")
    outputs = tfclf.load(own_checkpoint, engine=engine)(HEADLINES)
    logits = outputs["logits"].numpy()
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-5)
    np.testing.assert_allclose(outputs["score"], expected.max(axis=1), rtol=1e-5)
    assert [label.decode() for label in outputs["label"].numpy()] == [
        LABELS[best] for best in logits.argmax(axis=1)
    ]


def test_one_label_by_itself_may_be_multi_label(tmp_path: Path) -> None:
    source = tiny_checkpoint(
        tmp_path, id2label={"0": "spam"}, problem_type="multi_label_classification", **_SMALL
    )
    outputs = tfclf.load(source)(HEADLINES)
    np.testing.assert_allclose(outputs["probabilities"], tf.sigmoid(outputs["logits"]), atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "problem_type", "message"),
    [
        (
            NAMED,
            "single_label_classification",
            r"with 1 label\(s\) in id2label; expected two labels or more",
        ),
        ({"0": "a", "1": "b"}, "regression", r"with 2 label\(s\) in id2label; expected one label"),
        (
            NAMED,
            "ranking",
            "problem_type is 'ranking'; expected single_label_classification, multi_label",
        ),
    ],
    ids=["one class", "two values", "unknown"],
)
def test_a_problem_type_that_contradicts_the_labels_is_refused(
    own_checkpoint: Path, labels: dict[str, str], problem_type: str, message: str
) -> None:
    edit_json(own_checkpoint / "config.json", id2label=labels, problem_type=problem_type)
    with pytest.raises(CheckpointError, match=message):
        tfclf.load(own_checkpoint)


@pytest.mark.sample("lean")
def test_predict_prints_the_values_of_a_regression(
    value_model: tuple[Path, Path],
    value_classifier: tfclf.Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import typer

    monkeypatch.setattr(loader, "load", lambda *_, **__: value_classifier)
    command = typer.Typer()
    command.command()(predict_command)
    score = value_classifier.predict(HEADLINES[:1])[0].score
    lines = CliRunner().invoke(command, [str(value_model[0]), HEADLINES[0]]).output.splitlines()
    assert lines[1].split()[:2] == ["similarity", f"{score:.3f}"]
    (line,) = (
        CliRunner()
        .invoke(command, [str(value_model[0]), HEADLINES[0], "--json"])
        .output.splitlines()
    )
    assert set(json.loads(line)) == {"text", "label", "score", "truncated"}


@pytest.mark.sample("lean")
def test_evaluate_refuses_a_regression(
    value_model: tuple[Path, Path],
    value_classifier: tfclf.Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loader, "load", lambda *_, **__: value_classifier)
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\nnews,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="is a regression; expected a classifier"):
        evaluate_command([str(value_model[0]), str(rows)], machine=True)
