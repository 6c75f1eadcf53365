"""Checkpoints to start from: with or without a head, in both formats, complete or broken."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from tests.training.tiny import LABELS, RECIPE, make_base, strip_scope, weights_of
from tfclf.errors import CheckpointError, InputError
from tfclf.training import TrainingResult


def test_pytorch_and_tensorflow_files_give_the_same_encoder(base: Path, tmp_path: Path) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.weights import build

    other = make_base(tmp_path / "pytorch", safetensors=True)
    found, expected = (
        build(open_base(folder, labels=LABELS)).distilbert.weights for folder in (other, base)
    )
    for ours, theirs in zip(found, expected, strict=True):
        numpy.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.name)


def test_a_trained_checkpoint_can_be_trained_on_with_its_own_labels(
    trained: TrainingResult, again: Callable[..., TrainingResult]
) -> None:
    result = again(
        base=trained.folder, labels=None, recipe=replace(RECIPE, epochs=1, learning_rate=1e-12)
    )
    assert result.held_back.accuracy == trained.held_back.accuracy


def test_a_base_without_labels_asks_for_them(again: Callable[..., TrainingResult]) -> None:
    with pytest.raises(InputError, match=r"names no labels \(id2label\).*--labels"):
        again(labels=None)


@pytest.mark.parametrize("labels", [["one"], ["a", "a"], ["a", ""]])
def test_labels_must_be_two_or_more_each_once(
    again: Callable[..., TrainingResult], labels: list[str]
) -> None:
    with pytest.raises(InputError, match="expected two or more, each once"):
        again(labels=labels)


def test_more_tokens_than_the_base_takes_are_refused(again: Callable[..., TrainingResult]) -> None:
    with pytest.raises(InputError, match=r"max_length is 64; .* takes 32 tokens at most"):
        again(recipe=replace(RECIPE, max_length=64))


def test_a_base_that_lacks_encoder_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    from tfclf.training.base import open_base
    from tfclf.training.weights import build

    folder = make_base(tmp_path / "base", safetensors=True)
    state = load_file(folder / "model.safetensors")
    del state["transformer.layer.0.ffn.lin2.bias"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks 1 weights of the encoder, among them .*lin2"):
        build(open_base(folder, labels=LABELS))


@pytest.mark.parametrize("safetensors", [True, False])
def test_a_base_whose_weights_are_cut_is_refused(tmp_path: Path, safetensors: bool) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.weights import build

    folder = make_base(tmp_path / "base", safetensors=safetensors)
    file = folder / ("model.safetensors" if safetensors else "tf_model.h5")
    file.write_bytes(file.read_bytes()[:3_000])
    with pytest.raises(
        CheckpointError, match=rf"{file.name} \(3,000 bytes\) (cannot be read|is not a whole)"
    ):
        build(open_base(folder, labels=LABELS))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["config.json"], "has no config.json"),
        (["tf_model.h5"], r"holds no weights: found .*; expected one of .*tf_model\.h5"),
        (["tokenizer.json", "vocab.txt"], "holds no tokenizer"),
    ],
)
def test_a_base_that_lacks_a_file_is_refused(
    base: Path, tmp_path: Path, names: list[str], message: str
) -> None:
    from tfclf.training.base import open_base

    shutil.copytree(base, tmp_path / "base")
    for name in names:
        (tmp_path / "base" / name).unlink()
    with pytest.raises(CheckpointError, match=message):
        open_base(tmp_path / "base", labels=LABELS)


def test_a_head_of_another_size_is_made_anew(trained: TrainingResult) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.weights import build

    model = build(open_base(trained.folder, labels=["bad", "so so", "good"]))
    found = {strip_scope(weight.name): weight.numpy() for weight in model.weights}
    kept = weights_of(trained.folder)
    assert found["classifier/kernel:0"].shape == (16, 3)
    different = {
        name for name, values in found.items() if not numpy.array_equal(values, kept[name])
    }
    assert different == {"classifier/kernel:0", "classifier/bias:0"}


@pytest.mark.parametrize("name", ["distilbert_tiny_pytorch", "roberta_tiny_pytorch"])
def test_a_checkpoint_that_pytorch_saved_gives_pytorchs_logits(shared: Path, name: str) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.batches import encode
    from tfclf.training.weights import build

    base = open_base(shared / "checkpoints" / name, labels=None)
    model = build(base)
    expected = json.loads((base.folder / "expected.json").read_text())["rows"][:6]
    encoded = encode(
        base.tokenizer, [row["text"] for row in expected], [0] * 6, max_length=base.max_length
    )
    for ids, row in zip(encoded.ids.to_list(), expected, strict=True):
        assert ids == row["input_ids"]
        logits = model({"input_ids": numpy.array([ids], numpy.int32)}).logits.numpy()[0]
        numpy.testing.assert_allclose(logits, row["logits"], atol=1e-5)


@pytest.mark.parametrize("name", ["distilbert_tiny_pytorch", "roberta_tiny_pytorch"])
def test_a_head_of_another_size_that_pytorch_saved_is_made_anew(shared: Path, name: str) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.weights import build

    base = open_base(shared / "checkpoints" / name, labels=LABELS)
    assert build(base)({"input_ids": numpy.array([[0, 1, 2]], numpy.int32)}).logits.shape == (1, 2)


def test_a_kerashub_preset_is_named(again: Callable[..., TrainingResult], tmp_path: Path) -> None:
    preset = tmp_path / "preset"
    preset.mkdir()
    (preset / "config.json").write_text('{"class_name": "BertBackbone", "config": {}}')
    with pytest.raises(CheckpointError, match=r"KerasHub preset \(BertBackbone\), which KerasHub"):
        again(base=preset)
