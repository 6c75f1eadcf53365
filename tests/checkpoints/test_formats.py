"""Weights of other formats are named with their way out; those with wrapped names are read."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tfclf
from samples.checkpoints import edit_json, save_as_pytorch, tiny_checkpoint, tiny_config, tiny_model
from tfclf.catalog.local import HubId
from tfclf.catalog.pull.hub import choose_files
from tfclf.checkpoints import weights
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import CheckpointError, UnknownFamilyError
from tfclf.training.base import open_base
from tfclf.training.weights import build

State = dict[str, np.ndarray]
_LAYER = "distilbert.transformer.layer.0.attention.q_lin"


@pytest.fixture(scope="module")
def torch_format(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("torch") / "tiny", safetensors=True)


@pytest.fixture
def change(torch_format: Path, tmp_path: Path) -> Callable[[Callable[[State], State]], Path]:
    """Return a function that writes a copy of the checkpoint with other weights."""
    from safetensors.numpy import load_file, save_file

    def copy(edit: Callable[[State], State]) -> Path:
        folder = Path(shutil.copytree(torch_format, tmp_path / "changed"))
        state = edit(load_file(folder / "model.safetensors"))
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        return folder

    return copy


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes, 8 bits"),
        ({"load_in_4bit": True}, "bitsandbytes, 4 bits"),
        ({"quant_method": "gptq", "bits": 4}, "GPTQ, 4 bits"),
        ({"quant_method": "awq", "bits": 4}, "AWQ, 4 bits"),
        ({"quant_method": "fp8"}, "fp8"),
    ],
    ids=str,
)
def test_a_quantization_is_named(
    own_checkpoint: Path, settings: Mapping[str, object], named: str
) -> None:
    edit_json(own_checkpoint / "config.json", quantization_config=settings)
    for read in (open_checkpoint, lambda folder: open_base(folder, labels=["a", "b"])):
        with pytest.raises(
            CheckpointError, match=rf"quantization_config .*\({named}\).*dequantize"
        ):
            read(own_checkpoint)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model-q4.gguf", "GGUF"),
        ("model.onnx", "ONNX graph"),
        ("flax_model.msgpack", "Flax weights.*from_flax"),
        ("openvino_model.xml", "OpenVINO"),
        ("rust_model.ot", "rust-bert"),
        ("model_head.pkl", "SetFit"),
        ("epoch=3.ckpt", "pickle.*safe_serialization=True"),
        ("adapter_config.json", "LoRA.*merge_and_unload"),
        ("adapter_model.safetensors", "LoRA.*merge_and_unload"),
    ],
)
@pytest.mark.parametrize("with_config", [True, False])
def test_a_format_that_is_not_read_is_named_with_its_way_out(
    own_checkpoint: Path, file: str, message: str, with_config: bool
) -> None:
    (own_checkpoint / "tf_model.h5").unlink()
    if not with_config:
        (own_checkpoint / "config.json").unlink()
    (own_checkpoint / file).touch()
    with pytest.raises(CheckpointError, match=message):
        tfclf.load(own_checkpoint)


def test_an_adapter_beside_whole_weights_is_refused(own_checkpoint: Path) -> None:
    (own_checkpoint / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match="merge_and_unload"):
        tfclf.load(own_checkpoint)


@pytest.mark.parametrize("name", ["model.gguf", "model.onnx"])
def test_a_file_of_another_format_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"Expected model\.safetensors or tf_model\.h5"):
        open_checkpoint(tmp_path / name)


@pytest.mark.parametrize("read", [open_checkpoint, lambda folder: open_base(folder, labels=None)])
def test_a_missing_model_type_is_told_with_what_to_add(
    own_checkpoint: Path, read: Callable[[Path], object]
) -> None:
    edit_json(
        own_checkpoint / "config.json",
        model_type=None,
        architectures=["DistilBertForSequenceClassification"],
    )
    with pytest.raises(UnknownFamilyError, match=r'no model_type.*"model_type": "distilbert"'):
        read(own_checkpoint)


def test_a_type_that_only_pytorch_has_is_told_without_a_wrong_guess(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", model_type="modernbert")
    with pytest.raises(UnknownFamilyError, match=r"PyTorch alone") as raised:
        tfclf.load(own_checkpoint)
    assert "Did you mean" not in str(raised.value)


@pytest.mark.parametrize("read", [open_checkpoint, lambda folder: open_base(folder, labels=None)])
@pytest.mark.parametrize("name", ["tf_model.h5", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>Not found", "a web page.*download it again"),
    ],
)
def test_what_stands_in_the_place_of_a_file_is_told(
    own_checkpoint: Path,
    read: Callable[[Path], object],
    name: str,
    content: bytes,
    message: str,
) -> None:
    (own_checkpoint / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name} \(\d+ bytes\) is .*{message}"):
        read(own_checkpoint)


def test_a_pointer_to_weights_that_are_not_read_is_no_fault(own_checkpoint: Path) -> None:
    (own_checkpoint / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec")
    assert open_checkpoint(own_checkpoint)


@pytest.mark.parametrize("kind", ["relative_key", "relative_key_query"])
def test_relative_positions_are_refused_by_name(own_checkpoint: Path, kind: str) -> None:
    edit_json(own_checkpoint / "config.json", position_embedding_type=kind)
    with pytest.raises(CheckpointError, match=rf"position_embedding_type is '{kind}'"):
        open_checkpoint(own_checkpoint)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integers_are_not_read_as_weights(change: Any, dtype: str) -> None:
    name = f"{_LAYER}.weight"
    folder = change(lambda state: {**state, name: np.zeros((16, 64), dtype)})
    with pytest.raises(CheckpointError, match=r"q_lin\.weight is stored as U?I?8.*quantized"):
        open_checkpoint(folder).load_model()


@pytest.mark.parametrize(
    "name", [f"{_LAYER}.SCB", f"{_LAYER}.qweight", f"{_LAYER}.q_weight", f"{_LAYER}.weight.absmax"]
)
def test_names_of_a_quantization_are_told(change: Any, name: str) -> None:
    folder = change(lambda state: {**state, name: np.zeros(4, np.float32)})
    with pytest.raises(CheckpointError, match="holds quantized weights"):
        open_checkpoint(folder).load_model()


def test_an_adapter_among_the_weights_is_told_with_the_way_to_merge(change: Any) -> None:
    def add_lora(state: State) -> State:
        state[f"{_LAYER}.base_layer.weight"] = state.pop(f"{_LAYER}.weight")
        state[f"{_LAYER}.lora_A.default.weight"] = np.zeros((2, 32), np.float32)
        return {f"base_model.model.{name}": value for name, value in state.items()}

    with pytest.raises(CheckpointError, match=r"LoRA.*lora_A.*merge_and_unload"):
        open_checkpoint(change(add_lora)).load_model()


@pytest.mark.parametrize(
    "prefix", ["_orig_mod.", "module.", "module._orig_mod.", "model.", "net.", "0.auto_model."]
)
def test_names_of_wrappers_are_taken_off(torch_format: Path, change: Any, prefix: str) -> None:
    folder = change(lambda state: {prefix + name: value for name, value in state.items()})
    found = open_checkpoint(folder).load_model()
    expected = open_checkpoint(torch_format).load_model()
    for ours, theirs in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.name)


def test_a_loss_beside_the_model_is_named(change: Any) -> None:
    def wrap(state: State) -> State:
        wrapped = {f"net.{name}": value for name, value in state.items()}
        return {**wrapped, "criterion.weight": np.ones(4, np.float32)}

    with pytest.raises(CheckpointError, match=r"holds 1 weights .* among them criterion\.weight"):
        open_checkpoint(change(wrap)).load_model()


def test_the_name_of_a_compiled_part_is_taken_off(change: Any) -> None:
    def wrap(state: State) -> State:
        return {
            name.replace("distilbert.", "distilbert._orig_mod."): value
            for name, value in state.items()
        }

    assert open_checkpoint(change(wrap)).load_model()


@pytest.mark.parametrize("name", ["distilbert.transformer.layer.0.gate.weight", "extra_head.bias"])
def test_weights_without_a_place_are_named(change: Any, name: str) -> None:
    folder = change(lambda state: {**state, name: np.ones(3, np.float32)})
    with pytest.raises(CheckpointError, match=rf"no place for, among them {name}"):
        open_checkpoint(folder).load_model()


def test_weights_of_an_h5_file_without_a_place_are_named(own_checkpoint: Path) -> None:
    with h5py.File(own_checkpoint / "tf_model.h5", "a") as file:
        file["distilbert/tf_distil_bert/distilbert/gate/kernel:0"] = np.ones(3, np.float32)
    with pytest.raises(CheckpointError, match="no place for, among them distilbert/gate/kernel"):
        open_checkpoint(own_checkpoint).load_model()


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("distilbert", "distilbert.embeddings.position_ids"),
        ("roberta", "roberta.pooler.dense.weight"),
        ("bert", "cls.predictions.bias"),
    ],
)
def test_left_overs_that_transformers_ignores_are_ignored(
    tmp_path: Path, family: str, name: str
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tiny_checkpoint(tmp_path / family, family, safetensors=True)
    state = {**load_file(folder / "model.safetensors"), name: np.arange(4)}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    assert open_checkpoint(folder).load_model()


def test_training_drops_a_pretraining_head_but_nothing_of_the_encoder(change: Any) -> None:
    folder = change(lambda state: {**state, "vocab_projector.bias": np.ones(3, np.float32)})
    assert build(open_base(folder, labels=["a", "b"]))
    shutil.rmtree(folder)
    folder = change(lambda state: {**state, f"{_LAYER}.gate": np.ones(3, np.float32)})
    with pytest.raises(CheckpointError, match=r"of the encoder that .* no place for.*q_lin\.gate"):
        build(open_base(folder, labels=["a", "b"]))


def test_of_two_weights_files_everything_takes_that_of_from_pretrained(
    own_checkpoint: Path,
) -> None:
    newer = tiny_model(tiny_config("distilbert"), seed=1)
    save_as_pytorch(newer, own_checkpoint)
    assert weights.find(own_checkpoint).name == "model.safetensors"
    assert open_base(own_checkpoint, labels=None).weights_file.name == "model.safetensors"
    files = {path.name: None for path in own_checkpoint.iterdir()}
    assert "tf_model.h5" not in choose_files(files, HubId("org/name"))
    model = open_checkpoint(own_checkpoint).load_model()
    np.testing.assert_array_equal(model.weights[0], newer.weights[0])


def test_the_architecture_without_a_known_type_leaves_the_type_open(own_checkpoint: Path) -> None:
    content = json.loads((own_checkpoint / "config.json").read_text())
    del content["model_type"]
    (own_checkpoint / "config.json").write_text(json.dumps(content))
    with pytest.raises(UnknownFamilyError, match=r"config\.json has no model_type\. .*e\.g\."):
        open_checkpoint(own_checkpoint)
