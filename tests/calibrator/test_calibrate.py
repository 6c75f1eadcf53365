"""`calibrate` writes a new export that differs in its temperature alone."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tfclf
from samples.checkpoints import edit_json
from tfclf import verifier
from tfclf.calibrator import CalibrationReport
from tfclf.calibrator.report import CALIBRATION_FILES
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.data import Row
from tfclf.errors import DataError, ExportError, InputError, SavedModelError
from tfclf.graph.build import build
from tfclf.graph.serving_graph import ServingGraph
from tfclf.problem_types import activation_of
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.pieces import has_pieces
from tfclf.saved_model.temperature import read_temperature

_TEXTS = ["a", "late goal " * 50]
LABELS = ("World", "Sports", "Business", "Sci/Tech")
COLOURS = ("red", "green", "blue")
_DRAW = random.Random(5)
ROWS = [Row(f"{HEADLINES[n % len(HEADLINES)]} {n}", _DRAW.choice(LABELS)) for n in range(80)]
MULTI_ROWS = [
    Row(row.text, None, labels=tuple(one for one in COLOURS if _DRAW.random() < 0.4))
    for row in ROWS
]


@pytest.fixture(scope="module")
def report(short_export: Path, tmp_path_factory: pytest.TempPathFactory) -> CalibrationReport:
    return tfclf.calibrate(short_export, ROWS, tmp_path_factory.mktemp("single") / "news")


@pytest.fixture(scope="module")
def colours(multi_label_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tfclf.calibrate(multi_label_export, MULTI_ROWS, tmp_path_factory.mktemp("many") / "c")


@pytest.fixture(scope="module")
def before(short_export: Path) -> tfclf.Classifier:
    return tfclf.load(short_export, xla=False)


@pytest.fixture(scope="module")
def after(report: CalibrationReport) -> tfclf.Classifier:
    return tfclf.load(report.path, xla=False)


@pytest.fixture
def proved(
    report: CalibrationReport,
    after: tfclf.Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A copy of the calibrated export to verify; its graph is that of `after`."""

    def load(version: Path, *, xla: bool | None) -> tfclf.Classifier:
        return tfclf.Classifier(after._functions, Manifest.read(version), owner=after, xla=xla)

    monkeypatch.setattr(verifier, "load_export", load)
    return Path(shutil.copytree(report.path, tmp_path / "1"))


@pytest.fixture(scope="module")
def colours_on_all(multi_label_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Fitted to the rows that it is measured on."""
    folder = tmp_path_factory.mktemp("all") / "c"
    return tfclf.calibrate(multi_label_export, MULTI_ROWS, folder, evaluate_on=MULTI_ROWS)


def test_the_new_export_is_the_first_version_of_a_new_base_path(report: CalibrationReport) -> None:
    assert report.path.parts[-2:] == ("news", "1")
    assert Manifest.read(report.path).name == "news"


def test_the_temperature_stands_in_the_manifest_and_in_the_variables(
    report: CalibrationReport,
) -> None:
    assert report.temperature not in (0.1, 1.0)
    assert read_temperature(report.path) == report.temperature
    assert Manifest.read(report.path).temperature == report.temperature


def test_every_file_but_variables_and_manifest_is_the_same(
    report: CalibrationReport, short_export: Path
) -> None:
    before, after = (Manifest.read(path).checksums for path in (short_export, report.path))
    changed = {name for name in before if before[name] != after.get(name)}
    assert before.keys() == after.keys()
    assert changed == {"variables/variables.data-00000-of-00001", "variables/variables.index"}


def test_every_variable_but_the_temperature_is_the_same(
    report: CalibrationReport, short_export: Path
) -> None:
    readers = [
        tf.train.load_checkpoint(str(path / "variables" / "variables"))
        for path in (short_export, report.path)
    ]
    names = sorted(readers[0].get_variable_to_shape_map())
    differing = [
        name
        for name in names
        if not np.array_equal(*(reader.get_tensor(name) for reader in readers))
    ]
    assert differing == ["graph/temperature/.ATTRIBUTES/VARIABLE_VALUE"]


def test_logits_and_labels_are_those_of_the_given_export(
    before: tfclf.Classifier, after: tfclf.Classifier
) -> None:
    expected, found = before(HEADLINES), after(HEADLINES)
    np.testing.assert_array_equal(expected["logits"], found["logits"])
    np.testing.assert_array_equal(expected["label"], found["label"])


_ONE, _TWO = {"text": _TEXTS}, {"text": _TEXTS, "text_pair": _TEXTS}
_WINDOWS = {"text": _TEXTS, "stride": [4, 4]}
_INPUTS: dict[str, dict[str, Any]] = {
    "serving_default": _ONE,
    "serving_xla": _ONE,
    "detail": _ONE,
    "detail_xla": _ONE,
    "pairs": _TWO,
    "detail_pairs": _TWO,
    "windows": _WINDOWS,
    "encode": {"input_ids": [[5, 6, 7]], "attention_mask": [[1, 1, 1]]},
    "explain": _ONE,
    "explain_pairs": _TWO,
    "explain_windows": _WINDOWS,
}


def test_every_signature_reads_the_temperature(after: tfclf.Classifier) -> None:
    handle = after._owner.graph.temperature.handle
    reading = {
        name
        for name, function in after._functions.items()
        if any(captured is handle for captured in function.captured_inputs)  # type: ignore[attr-defined]
    }
    assert set(after._functions) == {*_INPUTS, "classify", "tokenize"}
    assert reading == {*_INPUTS, "classify"}


@pytest.mark.sample("serving_default", "windows", "encode", "explain")
@pytest.mark.parametrize("name", _INPUTS)
def test_every_signature_divides_by_the_temperature(
    report: CalibrationReport, after: tfclf.Classifier, name: str
) -> None:
    inputs = {key: tf.constant(value) for key, value in _INPUTS[name].items()}
    outputs = after._functions[name](**inputs)
    expected = tf.nn.softmax(outputs["logits"] / report.temperature)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)


def test_half_of_the_rows_are_held_out(report: CalibrationReport) -> None:
    assert (report.fitted_rows, report.samples) == (40, 40)


def test_the_accuracy_is_the_same_before_and_after(report: CalibrationReport) -> None:
    assert report.before.accuracy == report.after.accuracy


def test_an_export_can_be_calibrated_again(report: CalibrationReport, tmp_path: Path) -> None:
    again = tfclf.calibrate(report.path, ROWS, tmp_path / "again")
    assert again.temperature == pytest.approx(report.temperature, rel=1e-3)
    assert again.before.temperature == report.temperature


def test_its_own_base_path_takes_the_next_version(short_export: Path, tmp_path: Path) -> None:
    base = tmp_path / "short"
    shutil.copytree(short_export, base / "1")
    assert tfclf.calibrate(base, ROWS, base).path == base / "2"


def test_a_version_that_is_there_is_never_overwritten(
    short_export: Path, report: CalibrationReport
) -> None:
    with pytest.raises(ExportError, match="exists already"):
        tfclf.calibrate(short_export, ROWS, report.path.parent, version=1)


def test_other_rows_may_be_given_to_measure_on(colours_on_all: CalibrationReport) -> None:
    assert (colours_on_all.fitted_rows, colours_on_all.samples) == (80, 80)


def test_verify_finds_the_calibrated_export_equal(proved: Path, short_checkpoint: Path) -> None:
    assert tfclf.verify(proved, short_checkpoint, HEADLINES).equal


def test_verify_finds_a_manifest_with_another_temperature(
    report: CalibrationReport, proved: Path, short_checkpoint: Path
) -> None:
    edit_json(Manifest.path(proved), temperature=report.temperature / 2)
    certificate = tfclf.verify(proved, short_checkpoint, HEADLINES)
    assert not certificate.equal
    assert {one.what for one in certificate.differences} == {"probabilities"}


def test_with_its_source_the_new_export_gets_a_new_certificate(
    short_export: Path, short_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "_built_in_texts", lambda: list(HEADLINES))
    made = tfclf.calibrate(short_export, ROWS, tmp_path / "m", source=short_checkpoint)
    assert (made.certificate or {})["equal"]
    assert "carried_from" not in (made.certificate or {})


def test_without_it_the_certificate_is_carried_over_and_says_so(
    short_export: Path, tmp_path: Path
) -> None:
    shutil.copytree(short_export, tmp_path / "proven" / "1")
    edit_json(Manifest.path(tmp_path / "proven" / "1"), certificate={"equal": True, "rows": 7})
    made = tfclf.calibrate(tmp_path / "proven", ROWS, tmp_path / "m")
    assert made.certificate == {"equal": True, "rows": 7, "carried_from": "proven/1"}


def test_the_pieces_of_its_ids_are_copied(colours: CalibrationReport) -> None:
    assert has_pieces(colours.path)


def test_a_multi_label_export_gets_a_threshold_for_each_label(colours: CalibrationReport) -> None:
    assert list(colours.thresholds or ()) == list(COLOURS)
    assert Manifest.read(colours.path).thresholds == colours.thresholds


def test_predict_uses_the_calibrated_thresholds(colours: CalibrationReport) -> None:
    classifier = tfclf.load(colours.path)
    texts = [row.text for row in MULTI_ROWS[:20]]
    assert classifier.predict(texts, threshold="calibrated") == classifier.predict(
        texts, threshold=colours.thresholds
    )


def test_the_f1_on_the_rows_fitted_to_does_not_fall(colours_on_all: CalibrationReport) -> None:
    first, second = colours_on_all.before.f1, colours_on_all.after.f1
    assert first is not None
    assert second is not None
    assert all(second[label] >= first[label] for label in COLOURS)


@pytest.mark.parametrize("fixture", ["report", "colours"])
def test_a_report_has_all_files_and_the_figures(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str
) -> None:
    made: CalibrationReport = request.getfixturevalue(fixture)
    made.write(tmp_path / "report", title="<b>")
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(
        CALIBRATION_FILES
    )
    content = json.loads((tmp_path / "report" / "calibration.json").read_text(encoding="utf-8"))
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    error = made.after.calibration.ece
    assert content["after"]["calibration"]["expected_calibration_error"] == error
    assert f"{error:.4f}" in page
    assert "<script" not in page
    assert "<b>" not in page.partition("<body>")[2].partition("<h2")[0]


@pytest.fixture(scope="module")
def graphs(short_checkpoint: Path, multi_label_checkpoint: Path) -> dict[str, ServingGraph]:
    return {
        name: build(open_checkpoint(path), name=name)[0]
        for name, path in (("single", short_checkpoint), ("multi", multi_label_checkpoint))
    }


@pytest.mark.parametrize("name", ["single", "multi"])
@given(data=st.data(), temperature=st.floats(0.125, 8, width=32))
def test_no_temperature_changes_a_label(
    graphs: dict[str, ServingGraph], name: str, data: st.DataObject, temperature: float
) -> None:
    graph = graphs[name]
    width = {"single": 4, "multi": 3}[name]
    # Few different values make ties likely.
    values = st.sampled_from([-40.0, -1.0, 0.0, 1e-7, 1.0, 1.0000001, 40.0]) | st.floats(
        -100, 100, width=32
    )
    logits = data.draw(
        arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(width)), elements=values)
    )
    uncalibrated = graph._make_outputs(tf.constant(logits))
    graph.temperature.assign(temperature)
    try:
        calibrated = graph._make_outputs(tf.constant(logits))
    finally:
        graph.temperature.assign(1.0)
    np.testing.assert_array_equal(uncalibrated["label"], calibrated["label"])
    # The predicted label also keeps the highest probability, alone or among equals.
    best = logits.argmax(axis=1)
    scores = calibrated["probabilities"].numpy()
    np.testing.assert_array_equal(scores[np.arange(len(best)), best], scores.max(axis=1))


@given(
    arrays.arrays(np.float32, (3, 4), elements=st.floats(-50, 50, width=32)),
    st.sampled_from(["single_label_classification", "multi_label_classification"]),
)
def test_a_temperature_of_1_changes_no_bit(logits: np.ndarray[Any, Any], kind: str) -> None:
    activation = activation_of(kind)
    assert activation is not None
    divided = activation(tf.constant(logits) / tf.Variable(1.0))
    np.testing.assert_array_equal(divided, activation(tf.constant(logits)))


def test_real_rows_keep_their_labels(
    before: tfclf.Classifier, after: tfclf.Classifier, mixed_rows: list[str]
) -> None:
    labels = [[one.label for one in model.predict(mixed_rows)] for model in (before, after)]
    assert labels[0] == labels[1]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS[:30], r"There are 30 rows, of which half.*at least 40"),
        ([], "There are 0 rows"),
        ([Row("text", "World")] * 50, r"All 25 rows to fit to have the same label, 'World'"),
        ([Row("text", None)] * 50, r"Row 1 has no label; expected one of the model's: World"),
        ([Row("text", "Weather")] * 50, "Row 1 has the label 'Weather'"),
    ],
    ids=["few", "none", "one label", "no label", "unknown label"],
)
def test_rows_that_cannot_be_fitted_to_are_refused(
    short_export: Path, tmp_path: Path, rows: list[Row], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        tfclf.calibrate(short_export, rows, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_rows_of_one_label_each_are_refused_for_a_multi_label_model(
    multi_label_export: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="Row 1 has no label; expected any of"):
        tfclf.calibrate(multi_label_export, ROWS, tmp_path / "m")


def test_too_few_rows_to_measure_on_are_refused(short_export: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There are 5 rows to measure on"):
        tfclf.calibrate(short_export, ROWS, tmp_path / "m", evaluate_on=ROWS[:5])


def test_a_regression_is_refused(regression_export: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a regression: it has no probabilities"):
        tfclf.calibrate(regression_export, ROWS, tmp_path / "m")


def test_a_checkpoint_is_refused(short_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(SavedModelError, match="holds no version of a model"):
        tfclf.calibrate(short_checkpoint, ROWS, tmp_path / "m")


def test_an_older_export_is_to_be_exported_again(short_export: Path, tmp_path: Path) -> None:
    shutil.copytree(short_export, tmp_path / "1")
    edit_json(Manifest.path(tmp_path / "1"), temperature=None)
    with pytest.raises(SavedModelError, match=r"before exports had a temperature. Export its"):
        tfclf.calibrate(tmp_path / "1", ROWS, tmp_path / "m")


def test_files_of_two_exports_are_refused(report: CalibrationReport, tmp_path: Path) -> None:
    shutil.copytree(report.path, tmp_path / "1")
    edit_json(Manifest.path(tmp_path / "1"), temperature=1.5)
    with pytest.raises(SavedModelError, match=r"the manifest states the temperature 1\.5"):
        tfclf.calibrate(tmp_path / "1", ROWS, tmp_path / "m")
