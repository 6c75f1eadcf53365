"""Loading in Python: a quiet start, languages, pickling, forked processes."""

import copy
import logging
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import ROOT
from tfclf import loader
from tfclf._tensorflow import _hide_notes_in_notebooks, find_devices, quiet_import
from tfclf.errors import InputError, SourceNotFoundError, TfclfError

_CARD = "distilbert_mini_sequence_classifier_ag_news"
_LOAD = """
import sys, warnings
import tfclf
clf = tfclf.load(sys.argv[1])
warnings.warn("of later code")
print("also of later code", file=sys.stderr)
"""


def _load_in_a_process(export: Path, **environment: str) -> str:
    """Return what a program that loads an export writes to standard error."""
    inherited = {key: value for key, value in os.environ.items() if "TF_CPP" not in key}
    environment = {**inherited, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", _LOAD, str(export)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stderr


def test_loading_prints_what_later_code_writes_and_nothing_else(exported: Path) -> None:
    lines = _load_in_a_process(exported).splitlines()
    assert len(lines) == 2, lines
    assert lines[0].endswith("UserWarning: of later code")
    assert lines[1] == "also of later code"


@pytest.mark.verify
def test_the_start_is_shown_if_asked_for(exported: Path) -> None:
    assert "TensorFlow" in _load_in_a_process(exported, TFCLF_TF_LOGS="1")


def test_a_program_that_imported_tensorflow_keeps_its_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_import():
        os.write(2, b"own line\n")
    find_devices()
    assert capfd.readouterr().err == "own line\n"


@pytest.mark.parametrize(
    ("level", "logs", "then"),
    [
        (logging.INFO, "0", logging.WARNING),  # what TensorFlow sets in a notebook
        (logging.INFO, "1", logging.INFO),
        (logging.DEBUG, "0", logging.DEBUG),  # what only a program sets
        (logging.NOTSET, "0", logging.NOTSET),
    ],
)
def test_tensorflow_s_notes_are_hidden_in_a_notebook_unless_asked_for(
    level: int, logs: str, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFCLF_TF_LOGS", logs)
    logger = logging.Logger("tensorflow", level)
    _hide_notes_in_notebooks(logger)
    assert logger.level == then


def test_an_export_in_its_checkpoints_folder_is_loaded_with_a_warning(
    checkpoint: Path, own_export: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(checkpoint, own_export.parent, dirs_exist_ok=True)
    tfclf.load(own_export.parent)
    assert f"holds a checkpoint and an export of it or of another one: {own_export}" in caplog.text
    caplog.clear()
    tfclf.load(own_export)
    assert caplog.text == ""


def test_the_language_of_a_card_may_be_given() -> None:
    loader._check_language(_CARD, "en")
    loader._check_language("en.classify.distilbert_mini.ag_news", "en")


def test_another_language_than_the_cards_is_refused() -> None:
    with pytest.raises(InputError, match=f"lang is 'fr', and the card {_CARD} says 'en'"):
        tfclf.load(_CARD, "fr")


def test_a_language_needs_a_card(exported: Path) -> None:
    with pytest.raises(InputError, match=r"lang is 'en', and .* is not the name of a card"):
        tfclf.load(exported, "en")


def test_a_pickled_export_is_loaded_again_from_its_path(own_export: Path) -> None:
    pickled = pickle.dumps(tfclf.load(own_export, xla=False))
    again = pickle.loads(pickled)
    assert again.predict("goal").label in again.labels
    assert again.xla is False
    shutil.rmtree(own_export)
    with pytest.raises(SourceNotFoundError, match="holds the path of its model, not the model"):
        pickle.loads(pickled)


def test_a_pickled_checkpoint_is_loaded_again_with_its_options(checkpoint: Path) -> None:
    live = tfclf.load(checkpoint, engine="lean", precision="bfloat16")
    again = copy.copy(live)
    assert again is not live
    assert (again.manifest.engine, again.manifest.precision) == ("lean", "bfloat16")


def test_a_classifier_without_a_path_cannot_be_pickled(classifier: tfclf.Classifier) -> None:
    made = tfclf.Classifier(classifier._functions, classifier.manifest, owner=classifier)
    with pytest.raises(InputError, match=r"cannot be pickled\. Export it"):
        pickle.dumps(made)


@pytest.mark.parametrize("method", ["__call__", "predict", "tokenize"])
def test_a_call_in_a_forked_child_is_an_error_at_once(
    classifier: tfclf.Classifier, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(TfclfError, match=r"forked child .*after the fork only.*'spawn'"):
        getattr(classifier, method)(["goal"])


def test_loading_in_a_forked_child_of_a_process_with_a_model_is_an_error(
    classifier: tfclf.Classifier, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert classifier.labels
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(TfclfError, match=r"a model was loaded in process .*'spawn'"):
        tfclf.load(exported)


def test_a_classifier_says_what_it_is(classifier: tfclf.Classifier) -> None:
    assert repr(classifier) == (
        f"<tfclf.Classifier {classifier.manifest.name}: distilbert, lean float32, "
        f"labels {', '.join(classifier.labels)}; max_length 512>"
    )
    assert "<th>labels</th><td>World, Sports, Business, Sci/Tech</td>" in classifier._repr_html_()
