"""A checkpoint that is broken, incomplete or of two minds is refused with a reason."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tfclf
from samples.checkpoints import (
    LABELS,
    edit_json,
    save_as_pytorch,
    tiny_checkpoint,
    tiny_config,
    tiny_model,
    write_json,
)
from tfclf._transformers import load_pretrained, transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import CheckpointError, SourceNotFoundError, UnknownFamilyError


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="there is no such folder"):
        tfclf.load(tmp_path / "nowhere")


def test_a_file_is_no_checkpoint(own_checkpoint: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"is a file.*give its folder"):
        tfclf.load(own_checkpoint / "config.json")


def test_a_folder_of_something_else_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceNotFoundError, match=r"holds notes\.txt; expected an exported model"):
        tfclf.load(tmp_path)


def test_a_checkpoint_without_weights_says_what_it_holds(own_checkpoint: Path) -> None:
    (own_checkpoint / "tf_model.h5").unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights: found config\.json"):
        tfclf.load(own_checkpoint)


@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_a_cut_h5_file_is_refused_with_its_size(own_checkpoint: Path, part: float) -> None:
    path = own_checkpoint / "tf_model.h5"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(CheckpointError, match=r"tf_model\.h5 \([\d,]+ bytes\) cannot be read"):
        tfclf.load(own_checkpoint)


def test_a_weight_that_is_missing_is_named(own_checkpoint: Path) -> None:
    with h5py.File(own_checkpoint / "tf_model.h5", "a") as file:
        names: list[str] = []
        file.visit(names.append)
        del file[next(name for name in names if name.endswith("layer_._1/ffn/lin1/kernel:0"))]
    with pytest.raises(CheckpointError, match=r"layer_\._1/ffn/lin1/kernel"):
        tfclf.load(own_checkpoint)


def test_an_unknown_model_type_gets_the_nearest_known_one(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", model_type="distilbart")
    with pytest.raises(
        UnknownFamilyError, match=r"'distilbart'.*Did you mean 'distilbert'\?.*Known: .*distilbert"
    ):
        tfclf.load(own_checkpoint)


def test_fewer_labels_than_classes_are_told_with_both_numbers(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", id2label={"0": "a", "1": "b", "2": "c"})
    with pytest.raises(CheckpointError, match=r"gives 3 labels.*Correct id2label"):
        tfclf.load(own_checkpoint)


@pytest.mark.parametrize(
    ("id2label", "message"),
    [
        ({"0": "a", "2": "b"}, "expected 0 to 1 without gaps"),
        ({"0": "a", "1": "a"}, "names a more than once"),
        ({"zero": "a"}, "expected 0 to 0"),
        ([], "expected an object"),
    ],
    ids=["gap", "twice", "no number", "list"],
)
def test_labels_out_of_order_are_refused(
    own_checkpoint: Path, id2label: object, message: str
) -> None:
    edit_json(own_checkpoint / "config.json", id2label=id2label)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(own_checkpoint)


@pytest.mark.parametrize("label", [None, "", ["World"], {"name": "World"}])
def test_a_label_that_is_no_name_is_refused(own_checkpoint: Path, label: object) -> None:
    edit_json(own_checkpoint / "config.json", id2label={"0": label, "1": "b"})
    with pytest.raises(CheckpointError, match=r"id2label names .* for the index 0"):
        open_checkpoint(own_checkpoint)


def test_two_orders_of_the_labels_are_refused(own_checkpoint: Path) -> None:
    edit_json(
        own_checkpoint / "config.json",
        id2label={"0": "neg", "1": "pos"},
        label2id={"pos": 0, "neg": 1},
    )
    with pytest.raises(CheckpointError, match=r"'neg' for the index 0, and label2id gives it 1"):
        open_checkpoint(own_checkpoint)


@pytest.mark.parametrize("label2id", [None, {"LABEL_0": 0, "LABEL_1": 1}, {"neg": "0", "pos": "1"}])
def test_a_label2id_that_says_nothing_else_is_fine(own_checkpoint: Path, label2id: object) -> None:
    config = {"id2label": {"0": "neg", "1": "pos"}, "label2id": label2id}
    edit_json(own_checkpoint / "config.json", **config)
    assert open_checkpoint(own_checkpoint).labels == ("neg", "pos")


def test_a_folder_in_the_place_of_config_json_is_told(own_checkpoint: Path) -> None:
    (own_checkpoint / "config.json").unlink()
    (own_checkpoint / "config.json").mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read: Is a directory"):
        open_checkpoint(own_checkpoint)


def test_a_config_that_is_not_json_is_refused(own_checkpoint: Path) -> None:
    (own_checkpoint / "config.json").write_text('{"model_type": ', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json is not JSON"):
        tfclf.load(own_checkpoint)


def test_a_vocabulary_larger_than_the_embeddings_is_refused(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", vocab_size=1000)
    with pytest.raises(
        CheckpointError, match=r"ids up to 2999, and config\.json beside it says vocab_size 1000"
    ):
        tfclf.load(own_checkpoint)


def test_a_special_token_without_an_embedding_is_refused(own_checkpoint: Path) -> None:
    edit_json(
        own_checkpoint / "tokenizer.json",
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 40000], "cls": ["[CLS]", 101]},
    )
    edit_json(own_checkpoint / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    with pytest.raises(CheckpointError, match=r"ids up to 40000.*no embedding"):
        tfclf.load(own_checkpoint)


def test_a_torch_pickle_alone_is_refused_with_the_way_out(own_checkpoint: Path) -> None:
    (own_checkpoint / "tf_model.h5").rename(own_checkpoint / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="safe_serialization=True"):
        tfclf.load(own_checkpoint)


def test_a_cut_safetensors_file_is_refused(own_checkpoint: Path) -> None:
    (own_checkpoint / "tf_model.h5").unlink()
    model = tiny_model(tiny_config("distilbert"))
    model.save_pretrained(own_checkpoint, safe_serialization=True)
    path = own_checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        tfclf.load(own_checkpoint)


def test_tensorflow_format_safetensors_load(own_checkpoint: Path, checkpoint: Path) -> None:
    model = open_checkpoint(checkpoint).load_model()
    (own_checkpoint / "tf_model.h5").unlink()
    model.save_pretrained(own_checkpoint, safe_serialization=True)
    found = open_checkpoint(own_checkpoint).load_model()
    for ours, theirs in zip(found.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_sizes_that_do_not_divide_are_refused(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", n_heads=5)
    shutil.rmtree(own_checkpoint / "none", ignore_errors=True)
    with pytest.raises(CheckpointError):
        tfclf.load(own_checkpoint)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, 512), (1000000000000000019884624838656, 512), (1e30, 512), (128, 128), (600, 512)],
)
def test_the_shorter_of_the_two_limits_counts(
    own_checkpoint: Path, limit: float | None, expected: int
) -> None:
    edit_json(own_checkpoint / "tokenizer_config.json", model_max_length=limit)
    assert open_checkpoint(own_checkpoint).max_length == expected


@pytest.mark.parametrize("limit", [0, -1, "long", True, [], float("nan")])
def test_a_limit_that_is_no_number_is_refused(own_checkpoint: Path, limit: object) -> None:
    edit_json(own_checkpoint / "tokenizer_config.json", model_max_length=limit)
    with pytest.raises(CheckpointError, match="expected a number above 0"):
        open_checkpoint(own_checkpoint)


def test_the_old_name_of_the_limit_counts(own_checkpoint: Path) -> None:
    path = own_checkpoint / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["model_max_length"]
    write_json(path, {**content, "max_len": 20})
    assert open_checkpoint(own_checkpoint).max_length == 20


@pytest.mark.parametrize("kept", [True, False], ids=["beside its own name", "alone"])
def test_a_size_under_its_second_name_counts_as_in_transformers(
    own_checkpoint: Path, kept: bool
) -> None:
    path = own_checkpoint / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    heads = content["n_heads"] if kept else content.pop("n_heads")
    # The shapes of the weights do not tell the number of heads.
    write_json(path, {**content, "num_attention_heads": heads // 2})
    checkpoint = open_checkpoint(own_checkpoint)
    original = transformers().AutoConfig.from_pretrained(own_checkpoint)
    assert checkpoint.config["n_heads"] == original.n_heads == heads // 2


def test_a_decoder_is_refused_by_the_lean_engine(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path, "bert", is_decoder=True)
    with pytest.raises(CheckpointError, match=r"is_decoder is true.*engine='original'"):
        tfclf.load(folder, engine="lean")


def test_a_config_that_asks_for_tuples_changes_nothing(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", return_dict=False)
    assert tfclf.load(own_checkpoint, engine="original")(["news"])["logits"].shape == (1, 4)


@pytest.mark.parametrize(
    "changes",
    [{"dim": "32"}, {"n_layers": 2.5}, {"max_position_embeddings": None}, {"activation": "swishy"}],
    ids=str,
)
def test_sizes_that_are_none_are_refused(own_checkpoint: Path, changes: dict[str, object]) -> None:
    edit_json(own_checkpoint / "config.json", **changes)
    with pytest.raises(CheckpointError):
        tfclf.load(own_checkpoint)


@pytest.fixture(scope="module", params=["tf_model.h5", "model.safetensors"])
def weights_file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["distilbert", "albert", "roberta"])
def either_format(
    request: pytest.FixtureRequest, weights_file: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A checkpoint with weights as TensorFlow or as PyTorch writes them, and their file's name."""
    folder = tmp_path_factory.mktemp("format") / request.param
    return tiny_checkpoint(
        folder, request.param, safetensors=weights_file == "model.safetensors"
    ), weights_file


@pytest.fixture
def own_of_either_format(either_format: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(either_format[0], tmp_path / either_format[0].name))


def _spoil(folder: Path, value: float) -> str:
    """Write `value` into one weight of an encoder; return the last part but one of its name."""
    model = open_checkpoint(folder).load_model()
    weight = next(weight for weight in model.weights if "LayerNorm/gamma" in weight.name)
    weight.assign(np.concatenate([[value], weight.numpy()[1:]]))
    if (folder / "tf_model.h5").exists():
        model.save_weights(folder / "tf_model.h5")
    else:
        save_as_pytorch(model, folder)
    return "LayerNorm"


def test_both_formats_hold_the_same_weights(either_format: tuple[Path, str]) -> None:
    folder, _ = either_format
    config = tiny_config(folder.name)
    for ours, theirs in zip(
        open_checkpoint(folder).load_model().weights, tiny_model(config).weights, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.name)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_named(own_of_either_format: Path, value: float) -> None:
    name = _spoil(own_of_either_format, value)
    with pytest.raises(
        CheckpointError, match=rf"1 of the \d+ numbers of \S*{name}\S* are NaN or infinite"
    ):
        tfclf.load(own_of_either_format)


@pytest.mark.parametrize(
    "changes", [{"id2label": {"0": "a", "1": "b", "2": "c"}}, {"id2label": None, "num_labels": 3}]
)
def test_labels_of_another_number_than_the_head_are_told(
    own_of_either_format: Path, changes: dict[str, object]
) -> None:
    edit_json(own_of_either_format / "config.json", **changes)
    with pytest.raises(
        CheckpointError, match=r"gives 3 labels, and the head's weight \S+ has the shape \(.*4.*\)"
    ):
        tfclf.load(own_of_either_format)


def test_sizes_of_another_checkpoint_are_told(own_of_either_format: Path) -> None:
    edit_json(own_of_either_format / "config.json", vocab_size=3100)
    with pytest.raises(
        CheckpointError, match=r"has the shape \(3000, \d+\); config\.json asks for \(3100"
    ):
        tfclf.load(own_of_either_format)


def test_two_numbers_of_labels_are_refused(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", num_labels=3)
    with pytest.raises(CheckpointError, match=r"num_labels is 3, but id2label names 4"):
        open_checkpoint(own_checkpoint)


@pytest.mark.parametrize("stated", [0, "4", True, 2.0])
def test_a_number_of_labels_that_is_none_is_refused(own_checkpoint: Path, stated: object) -> None:
    edit_json(own_checkpoint / "config.json", num_labels=stated)
    with pytest.raises(CheckpointError, match=r"num_labels is .*; expected a whole number above 0"):
        open_checkpoint(own_checkpoint)


def test_an_index_that_id2label_has_twice_is_refused(own_checkpoint: Path) -> None:
    path = own_checkpoint / "config.json"
    content = path.read_text(encoding="utf-8").replace(
        f'"0": "{LABELS[0]}"', f'"0": "{LABELS[0]}", "0": "Other"'
    )
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match="has the key '0' twice"):
        open_checkpoint(own_checkpoint)


def test_a_part_that_a_list_of_weights_names_must_be_there(own_checkpoint: Path) -> None:
    (own_checkpoint / "tf_model.h5").unlink()
    write_json(
        own_checkpoint / "model.safetensors.index.json",
        {"weight_map": {"a": "model-1-of-2.safetensors"}},
    )
    with pytest.raises(CheckpointError, match=r"lists model-1-of-2\.safetensors, which is not in"):
        tfclf.load(own_checkpoint)


def test_shards_of_h5_files_load(own_checkpoint: Path) -> None:
    whole = tfclf.load(own_checkpoint)(["news"])["logits"].numpy()
    model = load_pretrained("TFAutoModelForSequenceClassification", own_checkpoint)
    (own_checkpoint / "tf_model.h5").unlink()
    model.save_pretrained(own_checkpoint, max_shard_size="200KB")
    assert (own_checkpoint / "tf_model.h5.index.json").is_file()
    np.testing.assert_array_equal(tfclf.load(own_checkpoint)(["news"])["logits"].numpy(), whole)


def test_a_weight_that_shards_of_h5_files_lack_is_named(own_checkpoint: Path) -> None:
    model = load_pretrained("TFAutoModelForSequenceClassification", own_checkpoint)
    (own_checkpoint / "tf_model.h5").unlink()
    model.save_pretrained(own_checkpoint, max_shard_size="200KB")
    for part in own_checkpoint.glob("tf_model-*.h5"):
        with h5py.File(part, "a") as file:
            if "classifier" in file:
                del file["classifier/kernel:0"]
    with pytest.raises(CheckpointError, match=r"lacks 1 of the weights.*classifier/kernel"):
        open_checkpoint(own_checkpoint).load_model()


def test_a_kernel_the_other_way_round_is_told(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path, "bert", safetensors=True)
    file = folder / "model.safetensors"
    arrays = load_file(file)
    name = "bert.encoder.layer.0.intermediate.dense.weight"
    save_file({**arrays, name: np.ascontiguousarray(arrays[name].T)}, file, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"dense/kernel has the shape \(64, 32\)"):
        open_checkpoint(folder).load_model()
