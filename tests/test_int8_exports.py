"""int8 exports: made, loaded, proved and served like others, and never called equal."""

import dataclasses
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from tests.conftest import Once
from tests.precisions import CALIBRATION_TEXTS, RUNNABLE, options_of
from tfclf import cli
from tfclf.errors import InputError, SavedModelError
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model import requirements
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.requirements import check_requirements


@pytest.fixture(scope="session")
def int8_export(short_checkpoint: Path, once: Once) -> Path:
    def make(folder: Path) -> None:
        tfclf.export(short_checkpoint, folder, version=1, **options_of("int8"))

    return once("int8_export", make) / "1"


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `tfclf` in this process; return its exit code, output and errors."""

    def tfclf(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tfclf", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capfd.readouterr()

    return tfclf


@pytest.fixture(scope="module")
def classifier(int8_export: Path) -> tfclf.Classifier:
    return tfclf.load(int8_export)


def test_the_manifest_says_what_it_needs(int8_export: Path) -> None:
    assert Manifest.read(int8_export).requires["tensorflow"] == "2.17 or later"


def test_the_manifest_says_on_how_many_texts_ranges_were_measured(int8_export: Path) -> None:
    record = Manifest.read(int8_export).quantization
    assert record is not None
    assert record["texts"] == len({text for text in CALIBRATION_TEXTS if text.strip()})


def test_tf_serving_needs_2_17(int8_export: Path) -> None:
    assert Manifest.read(int8_export).serving_versions == "2.17 to 2.20"


def test_it_has_no_signature_for_xla(int8_export: Path) -> None:
    assert "serving_xla" not in tf.saved_model.load(str(int8_export)).signatures


def test_it_answers_as_the_checkpoint_in_most_labels(
    classifier: tfclf.Classifier, short_checkpoint: Path
) -> None:
    exact = tfclf.load(short_checkpoint)
    labels = [
        [one.label for one in model.predict(list(HEADLINES))] for model in (classifier, exact)
    ]
    assert np.mean([ours == theirs for ours, theirs in zip(*labels, strict=True)]) > 0.8


def test_a_row_is_answered_alike_alone_and_in_a_batch(classifier: tfclf.Classifier) -> None:
    together = classifier(list(HEADLINES))["logits"].numpy()
    alone = [classifier([text])["logits"].numpy()[0] for text in HEADLINES]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_it_explains(classifier: tfclf.Classifier) -> None:
    assert len(classifier.explain("Oil prices rise").words) == 3


def test_a_checkpoint_cannot_be_loaded_in_int8(short_checkpoint: Path) -> None:
    with pytest.raises(InputError, match="--calibrate"):
        tfclf.load(short_checkpoint, precision="int8")


def test_it_is_never_called_equal(
    int8_export: Path, short_checkpoint: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "model" / "1"
    shutil.copytree(int8_export, copy)
    certificate = tfclf.verify(copy, short_checkpoint, list(HEADLINES))
    assert not certificate.equal
    assert certificate.tolerance is None
    assert set(certificate.agreement) == {"int8", "float32"}


def test_verify_ends_well_if_it_agrees(
    int8_export: Path,
    short_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., tuple[int, str, str]],
) -> None:
    monkeypatch.setattr("tfclf.verifier._LEAST_AGREEMENT", {"built-in": 0.0, "given": 0.0})
    copy, texts = tmp_path / "model" / "1", tmp_path / "texts.txt"
    shutil.copytree(int8_export, copy)
    texts.write_text("\n".join(HEADLINES))
    code, said, _ = run("verify", copy, "--source", short_checkpoint, "--texts", texts)
    assert code == 0
    assert "int8, so not equal, but agrees with" in said


def test_verify_fails_if_labels_differ(
    int8_export: Path, short_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfclf.verifier._LEAST_AGREEMENT", {"built-in": 1.1, "given": 1.1})
    copy = tmp_path / "model" / "1"
    shutil.copytree(int8_export, copy)
    assert not tfclf.verify(copy, short_checkpoint, list(HEADLINES)).agrees


def test_the_command_line_makes_one(
    short_checkpoint: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("body\n" + "\n".join(f"row {number} of news" for number in range(250)))
    options = ["--precision", "int8", "--calibrate", texts, "--text-column", "body"]
    code, _, errors = run("export", short_checkpoint, tmp_path / "news", *options)
    assert code == 0, errors
    assert "ranges measured on 250 texts" in " ".join(run("show", tmp_path / "news")[1].split())


def test_a_text_column_without_calibration_is_refused(
    short_checkpoint: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, errors = run("export", short_checkpoint, tmp_path / "news", "--text-column", "body")
    assert code != 0
    assert "--calibrate" in errors


def _change(folder: Path, precision: str) -> Manifest:
    manifest = dataclasses.replace(
        Manifest("m", "s", "bert", "lean", precision, "float32", "regression", ("a",), 9),
    )
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    manifest.write(folder)
    return manifest


def _pretend_flags(flags: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for an x86-64 processor with these features."""
    info = folder / "cpuinfo"
    info.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(requirements, "_CPU_INFO", info)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_an_older_tensorflow_is_refused(tmp_path: Path) -> None:
    manifest = _change(tmp_path / "m" / "1", "int8")
    with pytest.raises(SavedModelError, match=r"TensorFlow is 2\.16\.1"):
        check_requirements(manifest, source=tmp_path / "m" / "1", tensorflow="2.16.1")


def test_the_error_names_the_float_export_beside_it(tmp_path: Path) -> None:
    _change(tmp_path / "m" / "1", "float32")
    manifest = _change(tmp_path / "m" / "2", "int8")
    with pytest.raises(SavedModelError, match="m/1 instead, which is float32"):
        check_requirements(manifest, source=tmp_path / "m" / "2", tensorflow="2.16.1")


def test_another_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    manifest = _change(tmp_path / "m" / "1", "int8")
    with pytest.raises(SavedModelError, match="this processor is aarch64"):
        check_requirements(manifest, source=tmp_path / "m" / "1")


def test_a_rest_in_bfloat16_needs_a_processor_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oneDNN would end the process at the first call."""
    _pretend_flags("avx2 avx512f avx512_vnni", tmp_path, monkeypatch)
    _change(tmp_path / "m" / "1", "float32")
    manifest = _change(tmp_path / "m" / "2", "int8_bfloat16")
    with pytest.raises(SavedModelError, match=r"AVX512-BF16 or AMX\. Use .*m/1 instead"):
        check_requirements(manifest, source=tmp_path / "m" / "2")


@pytest.mark.parametrize(
    ("limit", "refused"), [("AVX512_CORE_VNNI", True), ("avx512_core_amx", False)]
)
def test_a_limit_of_onednn_counts_as_the_processor_does(
    limit: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend_flags("avx512_vnni amx_bf16", tmp_path, monkeypatch)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert bool(requirements.find_obstacle("int8_bfloat16")) is refused


def test_a_system_that_does_not_tell_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "_CPU_INFO", tmp_path / "missing")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    assert "does not tell" in requirements.find_obstacle("int8_bfloat16")


def test_such_a_processor_makes_no_such_export(
    short_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend_flags("avx2 avx512f avx512_vnni", tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"this processor has neither.* or use 'int8'"):
        tfclf.export(
            short_checkpoint,
            tmp_path / "m",
            precision="int8_bfloat16",
            calibration_texts=CALIBRATION_TEXTS,
        )
    assert not (tmp_path / "m").exists()


@pytest.mark.skipif("int8_bfloat16" not in RUNNABLE, reason="the processor has no bfloat16")
def test_an_export_with_its_rest_in_bfloat16_agrees(short_checkpoint: Path, tmp_path: Path) -> None:
    version = tfclf.export(short_checkpoint, tmp_path / "m", **options_of("int8_bfloat16"))
    certificate = tfclf.verify(version, short_checkpoint, list(HEADLINES))
    assert certificate.agrees
    assert not certificate.equal


def test_floats_run_on_any_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    check_requirements(_change(tmp_path / "m" / "1", "float32"), source=tmp_path / "m" / "1")


@pytest.mark.parametrize(("flags", "logged"), [("avx2", True), ("avx2 avx512_vnni", False)])
def test_a_processor_without_vnni_is_logged(
    flags: str,
    logged: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _pretend_flags(flags, tmp_path, monkeypatch)
    with caplog.at_level(logging.INFO, logger="tfclf"):
        check_requirements(_change(tmp_path / "m" / "1", "int8"), source=tmp_path / "m" / "1")
    assert ("without AVX512-VNNI" in caplog.text) is logged


def test_a_wrong_source_does_not_replace_a_good_certificate(
    int8_export: Path, short_checkpoint: Path, checkpoint: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "model" / "1"
    shutil.copytree(int8_export, copy)
    good = Manifest.read(copy)
    record = {"equal": False, "agrees": True, "source_checksums": {}, "rows": 1}
    dataclasses.replace(good, certificate=record).write(copy)
    assert not tfclf.verify(copy, checkpoint, list(HEADLINES)[:2]).stored


def test_it_can_be_calibrated_and_still_agrees(
    int8_export: Path,
    short_checkpoint: Path,
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
) -> None:
    rows = tmp_path / "rows.csv"
    labels = Manifest.read(int8_export).labels
    rows.write_text(
        "text,label\n"
        + "\n".join(
            f"{text} {place},{labels[place % len(labels)]}"
            for place, text in enumerate(["news", "oil", "match", "stocks"] * 25)
        )
    )
    code, _, errors = run("calibrate", int8_export.parent, rows, "--output", tmp_path / "news")
    assert code == 0, errors
    assert Manifest.read(tmp_path / "news" / "1").precision == "int8"


def test_a_warm_up_for_xla_is_refused(short_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="precision='int8' has no 'serving_xla'"):
        tfclf.export(short_checkpoint, tmp_path / "m", xla_warm_up=True, **options_of("int8"))
    assert not (tmp_path / "m").exists()
