"""An export with a file of another one, or with an edited manifest, never answers."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

import tfclf
from samples.checkpoints import edit_json, short_sizes, tiny_checkpoint
from tests.signatures import few_signatures
from tfclf.errors import SavedModelError
from tfclf.launcher.launch import _read_manifest_to_run
from tfclf.saved_model.integrity import check_labels
from tfclf.saved_model.manifest import Manifest
from tfclf.server.lifecycle.loading import Loader


@pytest.fixture(scope="module")
def other_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of the same sizes, with other weights and labels."""
    folder = tmp_path_factory.mktemp("other")
    sizes = short_sizes("distilbert")
    labels = {"0": "red", "1": "green", "2": "blue", "3": "black"}
    checkpoint = tiny_checkpoint(folder / "checkpoint", seed=5, id2label=labels, **sizes)
    with few_signatures():
        return tfclf.export(checkpoint, folder / "other")


@pytest.fixture
def own(short_export: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(short_export, tmp_path / "own" / "1"))


@pytest.mark.parametrize(
    "names",
    [
        ["saved_model.pb"],
        ["variables/variables.index"],
        ["variables/variables.index", "variables/variables.data-00000-of-00001"],
        ["variables/variables.data-00000-of-00001"],
        ["assets.extra/tfclf.json"],
    ],
    ids=["graph", "index", "variables", "values", "manifest"],
)
def test_an_export_with_a_file_of_another_one_is_refused(
    names: list[str], own: Path, other_export: Path
) -> None:
    for name in names:
        shutil.copyfile(other_export / name, own / name)
    with pytest.raises(SavedModelError, match=r"(Copy|copy) .*again"):
        tfclf.load(own)


def test_the_file_is_named(own: Path, other_export: Path) -> None:
    shutil.copyfile(other_export / "saved_model.pb", own / "saved_model.pb")
    with pytest.raises(SavedModelError, match=r"1/saved_model\.pb is not the file .*tfclf\.json"):
        tfclf.load(own)


def test_the_server_refuses_it(own: Path, other_export: Path) -> None:
    shutil.copyfile(other_export / "saved_model.pb", own / "saved_model.pb")
    with pytest.raises(SavedModelError, match="is not the file that was exported"):
        Loader()("own", 1, own)


def test_the_launcher_of_tf_serving_refuses_it(own: Path, other_export: Path) -> None:
    shutil.copyfile(other_export / "saved_model.pb", own / "saved_model.pb")
    with pytest.raises(SavedModelError, match="is not the file that was exported"):
        _read_manifest_to_run(own)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["Sports", "World", "Business", "Sci/Tech"]},
        {"labels": ["a", "b", "c", "d"]},
        {"labels": ["World", "Sports"]},
        {"labels": []},
        {"problem_type": "regression"},
    ],
)
def test_a_manifest_with_other_labels_is_refused(changes: dict[str, Any], own: Path) -> None:
    edit_json(Manifest.path(own), **changes)
    with pytest.raises(SavedModelError, match=r"graph gives World, Sports.*To rename labels"):
        tfclf.load(own)


def test_other_texts_of_the_graph_may_be_as_many_as_the_labels(short_export: Path) -> None:
    manifest = Manifest.read(short_export)
    # As the pieces of common words of a byte-level BPE are.
    texts = [tf.constant(["a", "b", "c", "d"]), tf.constant(list(manifest.labels))]
    outputs = {"logits": tf.TensorSpec([None, 4]), "probabilities": tf.TensorSpec([None, 4])}
    function = SimpleNamespace(structured_outputs=outputs, captured_inputs=texts)
    signatures: dict[str, Any] = {"serving_default": function}
    check_labels(manifest, signatures, source=short_export)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"labels": "abcd"}, "labels is 'abcd'; expected a list"),
        ({"labels": ["a", 2]}, "a label is 2; expected a text"),
        ({"max_length": "64"}, "max_length is '64'; expected a whole number"),
        ({"checksums": None}, "checksums is None; expected an object"),
        ({"certificate": []}, r"certificate is \[\]; expected an object or null"),
        ({"temperature": "1"}, "temperature is '1'; expected a number or null"),
    ],
)
def test_an_entry_of_another_type_is_named(
    changes: dict[str, Any], expected: str, own: Path
) -> None:
    edit_json(Manifest.path(own), **changes)
    with pytest.raises(SavedModelError, match=expected):
        Manifest.read(own)


def test_an_export_without_checksums_loads(own: Path) -> None:
    edit_json(Manifest.path(own), checksums={})
    assert tfclf.load(own).predict("goal").label in ("World", "Sports", "Business", "Sci/Tech")


def test_files_that_no_answer_depends_on_may_change(own: Path) -> None:
    (own / "assets.extra" / "tf_serving_warmup_requests").unlink()
    (own / "assets.extra" / "pieces.json").write_text("[]", encoding="utf-8")
    (own / "fingerprint.pb").unlink()
    assert tfclf.load(own).labels == ("World", "Sports", "Business", "Sci/Tech")
