"""Archives of unusual sizes: the values of a config.json are read from shapes and graph."""

import gc
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import typer
from tensorflow.core.framework.graph_pb2 import GraphDef
from typer.testing import CliRunner

import tfclf
from samples.checkpoints import LABELS
from tests.checkpoints.spark_nlp.writers import (
    MERGES,
    WORDS,
    annotator_of,
    change_weights,
    spark_nlp_model,
    write_metadata,
    zipped,
)
from tests.signatures import few_signatures
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.cli import commands
from tfclf.errors import CheckpointError
from tfclf.sample_texts import HEADLINES

# Labels first, then sizes: other ones for each family, and every activation that is read from a
# graph.
CASES: Mapping[str, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {
    "distilbert": (
        "distilbert",
        ("no", "yes"),
        {
            "n_layers": 2,
            "n_heads": 2,
            "dim": 24,
            "hidden_dim": 40,
            "activation": "relu",
            "max_position_embeddings": 70,
        },
    ),
    "bert": (
        "bert",
        tuple(f"label {number}" for number in range(12)),
        {
            "num_hidden_layers": 1,
            "num_attention_heads": 3,
            "hidden_size": 36,
            "hidden_act": "gelu_new",
        }
        | {"layer_norm_eps": 1e-6, "type_vocab_size": 3},
    ),
    "roberta": (
        "roberta",
        ("n\u00e9gatif", "\u6b63", "\U0001f600"),
        {
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "max_position_embeddings": 40,
            "hidden_act": "tanh",
        }
        | {"layer_norm_eps": 1e-5, "type_vocab_size": 1},
    ),
    "albert, groups of layers": (
        "albert",
        LABELS,
        {
            "num_hidden_layers": 4,
            "num_hidden_groups": 2,
            "inner_group_num": 2,
            "num_attention_heads": 8,
        }
        | {"hidden_act": "gelu_fast", "embedding_size": 12, "layer_norm_eps": 1e-3},
    ),
    "xlm-roberta, one value": (
        "xlm-roberta",
        ("stars",),
        {"num_hidden_layers": 1, "hidden_act": "quick_gelu"},
    ),
    "camembert": ("camembert", LABELS, {"num_hidden_layers": 1, "hidden_act": "silu"}),
}
# Not of the model's making, or none of its business.
_ELSEWHERE = {
    "id2label",
    "label2id",
    "problem_type",
    "pad_token_id",
    "transformers_version",
    "_name_or_path",
}


@pytest.mark.sample("albert, groups of layers", "bert", "distilbert", "xlm-roberta, one value")
@pytest.mark.parametrize("name", CASES)
def test_sizes_and_weights_are_those_of_the_model_that_went_in(name: str, tmp_path: Path) -> None:
    family, labels, sizes = CASES[name]
    original = spark_nlp_model(tmp_path / "model", family, labels=labels, **sizes)
    checkpoint = open_checkpoint(tmp_path / "model")
    assert checkpoint.labels == labels
    expected = {
        key: value for key, value in original.config.to_dict().items() if key not in _ELSEWHERE
    }
    assert {key: checkpoint.config.get(key) for key in expected} == expected
    ids = np.random.default_rng(0).integers(5, 250, (3, 11)).astype(np.int32)
    found, right = (
        model(ids, training=False).logits.numpy() for model in (checkpoint.load_model(), original)
    )
    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("activation", ["silu", "tanh"])
def test_the_activation_is_read_from_the_graph(activation: str, tmp_path: Path) -> None:
    spark_nlp_model(tmp_path / "model", "bert", num_hidden_layers=1, hidden_act=activation)
    assert open_checkpoint(tmp_path / "model").config["hidden_act"] == activation


@pytest.mark.parametrize(
    ("parameters", "max_length", "problem_type"),
    [
        ({}, 70, "single_label_classification"),
        ({"maxSentenceLength": 30}, 30, "single_label_classification"),
        ({"maxSentenceLength": 500, "activation": "softmax"}, 70, "single_label_classification"),
        ({"activation": "sigmoid"}, 70, "multi_label_classification"),
    ],
)
def test_parameters_are_followed_as_far_as_the_positions_go(
    parameters: Mapping[str, Any], max_length: int, problem_type: str, tmp_path: Path
) -> None:
    spark_nlp_model(
        tmp_path / "model",
        "bert",
        num_hidden_layers=1,
        max_position_embeddings=70,
        parameters=parameters,
    )
    checkpoint = open_checkpoint(tmp_path / "model")
    assert (checkpoint.max_length, checkpoint.problem_type) == (max_length, problem_type)


@pytest.mark.parametrize(
    ("case_sensitive", "vocabulary", "lowercases"),
    [
        (True, WORDS, False),
        (False, WORDS, True),
        # The cards' models have true for every one; a vocabulary in lower case knows better.
        (
            True,
            [
                word.lower() if len(word) == 1 else word
                for word in dict.fromkeys(WORDS)
                if word not in "ABC"
            ],
            True,
        ),
    ],
    ids=["true", "false", "true without capitals"],
)
def test_case_is_as_the_archive_says_unless_its_vocabulary_has_no_capital(
    case_sensitive: bool, vocabulary: list[str], lowercases: bool, own_model: Path
) -> None:
    from tests.checkpoints.spark_nlp.writers import numbered, write_field

    write_field(own_model, "vocabulary", numbered(vocabulary))
    write_metadata(own_model, annotator_of("distilbert"), caseSensitive=case_sensitive)
    checkpoint = open_checkpoint(own_model)
    normalizer = checkpoint.read_tokenizer().normalizer[0]
    assert getattr(normalizer, "lowercase", None) is lowercases


def test_a_head_width_that_the_graph_divides_out_is_read(own_model: Path) -> None:
    """transformers of 2021 has tf.cast(tf.math.divide(dim, n_heads), tf.int32), and no constant."""
    heads, width = 4, 32

    def change(inside: Path) -> None:
        graph = GraphDef()
        graph.ParseFromString((inside / "saved_model.pb").read_bytes())
        for function in graph.library.function:
            packs = [
                node for node in function.node_def if node.op == "Pack" and len(node.input) == 4
            ]
            constants = {node.name for node in function.node_def if node.op == "Const"}
            ends = {pack.input[3] for pack in packs if pack.input[3].partition(":")[0] in constants}
            for number, end in enumerate(ends):
                for part, value in (("dim", width), ("heads", heads)):
                    made = function.node_def.add(name=f"{part}{number}", op="Const")
                    made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.int32))
                    function.node_def.add(
                        name=f"{part}{number}_", op="Cast", input=[f"{part}{number}:output:0"]
                    )
                inputs = [f"dim{number}_:y:0", f"heads{number}_:y:0"]
                function.node_def.add(name=f"divided{number}", op="RealDiv", input=inputs)
                function.node_def.add(
                    name=f"end{number}", op="Cast", input=[f"divided{number}:z:0"]
                )
                for pack in packs:
                    if pack.input[3] == end:
                        pack.input[3] = f"end{number}:y:0"
        assert sum(
            node.op == "RealDiv" and "divided" in node.name
            for f in graph.library.function
            for node in f.node_def
        )
        (inside / "saved_model.pb").write_bytes(graph.SerializeToString())

    change_weights(own_model, "distilbert_classification_tensorflow", change)
    assert open_checkpoint(own_model).config["n_heads"] == heads


# Slow: save_pretrained(saved_model=True). The genuine archives were saved in the same way.
@pytest.mark.verify
def test_a_graph_as_transformers_saves_it_is_read(tmp_path: Path) -> None:
    original = spark_nlp_model(
        tmp_path / "model", "distilbert", saved_model=True, n_layers=1, n_heads=2
    )
    checkpoint = open_checkpoint(tmp_path / "model")
    assert checkpoint.config["n_heads"] == original.config.n_heads == 2
    ids = np.arange(5, 25, dtype=np.int32)[np.newaxis]
    found, right = (
        model(ids, training=False).logits.numpy() for model in (checkpoint.load_model(), original)
    )
    np.testing.assert_array_equal(found, right)


def test_a_byte_level_vocabulary_keeps_the_order_of_its_merges(tmp_path: Path) -> None:
    spark_nlp_model(tmp_path / "model", "roberta", num_hidden_layers=1)
    checkpoint = open_checkpoint(tmp_path / "model")
    assert checkpoint.read_tokenizer().model.merges == MERGES  # type: ignore[union-attr]


@pytest.mark.parametrize("below", ["", "tiny_sequence_classifier_en_3.4.4/"])
def test_a_zip_is_read_with_its_files_at_the_top_or_in_a_folder(
    below: str, model: Path, tmp_path: Path
) -> None:
    archive = zipped(model, tmp_path / "model.zip", below=below)
    assert open_checkpoint(archive).labels == LABELS
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    assert open_checkpoint(tmp_path / "unpacked").labels == LABELS


def test_weights_that_were_unpacked_by_hand_are_read(own_model: Path) -> None:
    packed = own_model / "distilbert_classification_tensorflow"
    shutil.unpack_archive(packed, own_model / "inside", "zip")
    packed.unlink()
    (own_model / "inside").rename(packed)
    assert open_checkpoint(own_model).labels == LABELS


def test_the_classifier_of_a_pipeline_is_found_among_harmless_stages(
    model: Path, tmp_path: Path
) -> None:
    write_metadata(tmp_path / "pipeline", "org.apache.spark.ml.PipelineModel")
    for number, name in enumerate(("com.johnsnowlabs.nlp.DocumentAssembler", "x.TokenizerModel")):
        write_metadata(tmp_path / "pipeline" / "stages" / f"{number}_{name}", name)
    shutil.copytree(model, tmp_path / "pipeline" / "stages" / "2_DistilBert")
    assert open_checkpoint(tmp_path / "pipeline").labels == LABELS
    write_metadata(
        tmp_path / "pipeline" / "stages" / "3_x", "com.johnsnowlabs.nlp.annotators.Normalizer"
    )
    with pytest.raises(
        CheckpointError,
        match=r"the effect of Normalizer on the text would be lost.*stage 2_DistilBert",
    ):
        open_checkpoint(tmp_path / "pipeline")


def test_what_is_unpacked_goes_with_the_checkpoint_and_not_before(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(archive.parent.iterdir())
    checkpoint = open_checkpoint(archive)
    assert len(list(tmp_path.iterdir())) == 1
    checkpoint.load_model()
    checkpoint.read_tokenizer()
    assert sorted(archive.parent.iterdir()) == before
    del checkpoint
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def run(*words: object) -> Any:
    """A command's lines of JSON."""
    app = typer.Typer()
    for command in commands.ALL:
        app.command()(command)
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == 0, (words, result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def test_an_archive_is_exported_verified_and_shown(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "texts.txt").write_text("\n".join(HEADLINES[:4]) + "\n", encoding="utf-8")
    with few_signatures("tokenize", "encode"):
        (exported,) = run("export", archive, tmp_path / "saved_models" / "tiny")
    (verified,) = run(
        "verify", exported["path"], "--source", archive, "--texts", tmp_path / "texts.txt"
    )
    (shown,) = run("show", exported["path"])
    assert verified["equal"]
    assert verified["reference"] == "TFDistilBertForSequenceClassification, DistilBertTokenizerFast"
    assert list(verified["source_checksums"]) == [archive.name]
    assert shown["source"] == archive.name
    gc.collect()
    assert list((tmp_path / "temporary").glob("tfclf-spark-nlp-*")) == []


@pytest.mark.verify  # both load the archive anew
def test_an_archive_predicts_and_is_evaluated(archive: Path, tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": text, "label": LABELS[0]}) + "\n" for text in HEADLINES[:4])
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    (predicted,) = run("predict", archive, "abc")
    (measured,) = run("evaluate", archive, tmp_path / "rows.jsonl")
    assert set(predicted["probabilities"]) == set(LABELS)
    assert measured["eval_samples"] == 4


def test_a_model_is_named_for_its_archive(archive: Path) -> None:
    clf = tfclf.load(archive, engine="original")
    assert clf.manifest.name == "tiny_sequence_classifier"
    assert clf.manifest.source == archive.name
    assert (clf.labels, clf.max_length) == (LABELS, 64)


@pytest.mark.parametrize(
    ("change", "kind"), [(tf.nn.softmax, "Softmax"), (tf.nn.sigmoid, "Sigmoid")]
)
def test_a_graph_that_activates_its_logits_is_refused(
    change: Callable[[tf.Tensor], tf.Tensor], kind: str, tmp_path: Path
) -> None:
    spark_nlp_model(tmp_path / "model", "bert", num_hidden_layers=1, change=change)
    with pytest.raises(CheckpointError, match=f"not the head's own: the graph computes {kind}"):
        open_checkpoint(tmp_path / "model")
