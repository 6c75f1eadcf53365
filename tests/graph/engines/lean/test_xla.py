"""The signature `serving_xla`, on the CPU: few programs, and the outputs of `serving_default`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2

import tfclf
from samples.checkpoints import ROOT, edit_json, tiny_checkpoint
from tests.graph.engines.lean import xla_programs
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import InputError
from tfclf.families import known
from tfclf.graph.build import build
from tfclf.graph.framing import Batch
from tfclf.graph.serving_graph import ServingGraph
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.buckets import Ladder
from tfclf.saved_model.manifest import Manifest

TOLERANCE = 1e-5
# Few: compiling a bucket that a test meets takes about a second.
LENGTH = 128
LADDER = Ladder((32, LENGTH), (1, 8))
TEXTS = ["", *HEADLINES, "news " * 600, " ".join(HEADLINES) * 20, *hostile_texts(24, seed=5)]


@pytest.fixture(scope="module", params=sorted(known()))
def family_checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    folder = tiny_checkpoint(tmp_path_factory.mktemp(request.param) / "checkpoint", request.param)
    edit_json(folder / "tokenizer_config.json", model_max_length=LENGTH)
    return open_checkpoint(folder)


@pytest.fixture(scope="module")
def graph(family_checkpoint: Checkpoint) -> ServingGraph:
    return build(family_checkpoint, name="tiny", ladder=LADDER)[0]


@pytest.fixture(scope="module")
def short_checkpoint(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny DistilBERT, for rows of up to LENGTH tokens."""
    folder = shutil.copytree(checkpoint, tmp_path_factory.mktemp("checkpoints") / "short")
    edit_json(folder / "tokenizer_config.json", model_max_length=LENGTH)
    return folder


@pytest.fixture(scope="module")
def short_ladder(short_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export whose few buckets compile fast."""
    return tfclf.export(
        short_checkpoint, tmp_path_factory.mktemp("exports") / "short_ladder", ladder=LADDER
    )


@pytest.fixture(scope="module")
def with_xla(short_ladder: Path) -> tfclf.Classifier:
    return tfclf.load(short_ladder, xla=True)


def _reload(classifier: tfclf.Classifier, **options: Any) -> tfclf.Classifier:
    """Make the classifier that `tfclf.load` makes with other options, without loading again."""
    return tfclf.Classifier(classifier._functions, classifier.manifest, owner=classifier, **options)


@pytest.fixture(scope="module")
def without_xla(with_xla: tfclf.Classifier) -> tfclf.Classifier:
    return _reload(with_xla, xla=False)


def _assert_same(outputs: Any, expected: Any, *, tolerance: float = TOLERANCE) -> None:
    assert outputs.keys() == expected.keys()
    for name in ("score", "probabilities", "logits"):
        assert outputs[name].shape == expected[name].shape
        assert outputs[name].dtype == expected[name].dtype
        np.testing.assert_allclose(
            outputs[name].numpy(), expected[name].numpy(), atol=tolerance, rtol=0
        )
    assert outputs["label"].shape == expected["label"].shape


# A batch of no rows, one that fills its bucket, and larger ones.
@pytest.mark.sample(
    *(("distilbert", rows) for rows in (0, 8, 9, len(TEXTS))),
    ("albert", 3),
    ("bert", 3),
    ("roberta", 3),
)
@pytest.mark.parametrize("rows", [0, 1, 3, 8, 9, len(TEXTS)])
def test_every_family_answers_as_without_xla_whatever_the_batch(
    graph: ServingGraph, rows: int
) -> None:
    texts = tf.constant(TEXTS[:rows], tf.string)
    outputs, expected = graph.classify_text_xla(texts), graph.classify_text(texts)
    _assert_same(outputs, expected)
    assert outputs["label"].numpy().tolist() == expected["label"].numpy().tolist()


@pytest.mark.sample("distilbert")
def test_order_does_not_matter(graph: ServingGraph) -> None:
    texts = tf.constant(TEXTS[::-1])
    _assert_same(graph.classify_text_xla(texts), graph.classify_text(texts))


@pytest.mark.sample("distilbert", "roberta")
def test_any_ids_and_token_types_give_the_same_logits(graph: ServingGraph) -> None:
    dice = np.random.default_rng(0)
    lengths = dice.integers(1, 65, 20)
    size = int(graph._engine.embeddings._tables[0].shape[0])  # type: ignore[attr-defined]
    ids = tf.RaggedTensor.from_row_lengths(
        tf.constant(dice.integers(0, size, lengths.sum()), tf.int32), tf.constant(lengths, tf.int32)
    )
    # RoBERTa and its kin have one type only.
    type_counts = [int(table.shape[0]) for table in graph._engine.embeddings._tables][2:]  # type: ignore[attr-defined]
    types = ids.with_values(
        tf.constant(dice.integers(0, (type_counts or [2])[0], lengths.sum()), tf.int32)
    )
    batch = Batch(ids, types, tf.fill([20], False))
    logits = graph._engine.encode_bucketed(batch).numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(logits, graph._engine(batch).numpy(), atol=TOLERANCE, rtol=0)


@pytest.mark.sample("distilbert")
def test_bfloat16_stays_near_float32(graph: ServingGraph, family_checkpoint: Checkpoint) -> None:
    near, _ = build(family_checkpoint, name="tiny", precision="bfloat16", ladder=LADDER)
    texts = tf.constant(HEADLINES)
    _assert_same(near.classify_text_xla(texts), graph.classify_text(texts), tolerance=0.1)


@pytest.mark.sample(Ladder((33, LENGTH), (3,)))
@pytest.mark.parametrize("ladder", [Ladder((LENGTH,), (16,)), Ladder((33, LENGTH), (3,))], ids=str)
def test_padding_has_no_say(short_checkpoint: Path, ladder: Ladder) -> None:
    graph, _ = build(open_checkpoint(short_checkpoint), name="tiny", ladder=ladder)
    texts = tf.constant(TEXTS[:11])
    _assert_same(graph.classify_text_xla(texts), graph.classify_text(texts))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=50), st.binary(max_size=50)), max_size=20))
def test_any_batch_of_text_answers_as_without_xla(
    with_xla: tfclf.Classifier, without_xla: tfclf.Classifier, texts: list[str | bytes]
) -> None:
    _assert_same(with_xla(texts), without_xla(texts))


@pytest.fixture(scope="module", params=[30, pytest.param(500, marks=pytest.mark.verify)])
def programs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, float]:
    """The number of programs that XLA had compiled after each step."""
    folder = tmp_path_factory.mktemp("programs")
    checkpoint = tiny_checkpoint(folder / "checkpoint", n_layers=1)
    edit_json(
        checkpoint / "tokenizer_config.json", model_max_length=xla_programs.LADDER.lengths[-1]
    )
    dump = folder / "dump"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.graph.engines.lean.xla_programs",
            checkpoint,
            folder / "model",
            dump,
            str(request.param),
        ],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": f"--xla_dump_to={dump} --xla_dump_hlo_as_text"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts: Mapping[str, float] = json.loads(done.stdout)
    return counts


def test_random_batches_compile_one_program_a_bucket(programs: Mapping[str, float]) -> None:
    assert programs["random batches"] == len(xla_programs.LADDER.rungs) == 4


def test_random_batches_answer_as_without_xla(programs: Mapping[str, float]) -> None:
    assert programs["largest difference"] <= TOLERANCE


def test_nothing_is_compiled_without_being_asked_for(programs: Mapping[str, float]) -> None:
    assert programs["without XLA"] == 0


def test_a_warm_up_compiles_the_usual(programs: Mapping[str, float]) -> None:
    assert programs["warmed up"] == len(xla_programs.LADDER.usual)


def test_usual_batches_find_their_programs_compiled(programs: Mapping[str, float]) -> None:
    assert programs["usual batches"] == programs["warmed up"]


def test_a_warm_up_without_xla_is_no_error(without_xla: tfclf.Classifier) -> None:
    without_xla.warm_up()


def _find_compiled(version: Path) -> Mapping[str, bool]:
    """Tell for each signature whether XLA compiles any function that it calls."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version / "saved_model.pb").read_bytes())
    (meta_graph,) = model.meta_graphs
    functions = {
        function.signature.name: function for function in meta_graph.graph_def.library.function
    }
    nodes = {node.name: node for node in meta_graph.graph_def.node}

    def list_called(attributes: Any) -> set[str]:
        called = {value.func.name for value in attributes.values() if value.func.name}
        for value in attributes.values():
            called |= {each.name for each in value.list.func}
        return called

    def compiles(names: set[str]) -> bool:
        seen: set[str] = set()
        while names:
            seen |= names
            called = {
                function
                for name in names
                for node in functions[name].node_def
                for function in list_called(node.attr)
            }
            names = called - seen
        return any(functions[name].attr["_XlaMustCompile"].b for name in seen)

    compiled = {}
    for name, signature in meta_graph.signature_def.items():
        outputs = [
            nodes[output.name.split(":")[0]] for output in signature.outputs.values() if output.name
        ]
        names = {function for node in outputs for function in list_called(node.attr)}
        compiled[name] = compiles(names)
    return compiled


def test_only_serving_xla_and_its_detail_need_xla(short_ladder: Path) -> None:
    compiled = _find_compiled(short_ladder)
    assert compiled["serving_xla"]
    assert {name for name in compiled if compiled[name]} == {"serving_xla", "detail_xla"}


@pytest.mark.parametrize(("gpus", "xla"), [([], False), (["GPU:0"], True)], ids=["no GPU", "a GPU"])
def test_it_is_picked_by_itself_where_tensorflow_sees_a_gpu(
    with_xla: tfclf.Classifier, monkeypatch: pytest.MonkeyPatch, gpus: Sequence[str], xla: bool
) -> None:
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else ["CPU:0"]
    )
    assert _reload(with_xla).xla is xla


def _load_older(classifier: tfclf.Classifier, **options: Any) -> tfclf.Classifier:
    """Make the classifier of an export that is older than `serving_xla`."""
    functions = {
        name: function for name, function in classifier._functions.items() if "xla" not in name
    }
    return tfclf.Classifier(functions, classifier.manifest, owner=classifier, **options)


def test_an_export_without_it_is_not_asked_for_it(
    without_xla: tfclf.Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["GPU:0"])
    assert _load_older(without_xla).xla is False


def test_the_manifest_states_the_ladder(short_ladder: Path) -> None:
    assert Manifest.read(short_ladder).ladder == LADDER


def test_asking_for_it_where_there_is_none_is_an_error(
    checkpoint: Path, without_xla: tfclf.Classifier
) -> None:
    with pytest.raises(
        InputError, match=r" has no signature 'serving_xla'.*export the checkpoint again"
    ):
        _load_older(without_xla, xla=True)
    with pytest.raises(
        InputError, match=r"engine 'original'.*Expected an export of the lean engine"
    ):
        tfclf.load(checkpoint, engine="original", xla=True)


def test_xla_is_yes_no_or_none(with_xla: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="xla is 'yes'; expected True, False, or None"):
        _reload(with_xla, xla="yes")


def test_a_ladder_that_ends_elsewhere_than_the_checkpoint_is_an_error(
    checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match="lengths end with 128, and rows of this checkpoint hold up to 512"
    ):
        tfclf.export(checkpoint, tmp_path / "model", ladder=Ladder((128,)))


def test_a_ladder_for_the_original_engine_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="engine='original' has no 'serving_xla'"):
        tfclf.export(checkpoint, tmp_path / "model", engine="original", ladder=LADDER)


def test_a_warm_up_for_the_original_engine_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="engine='original' has no 'serving_xla'"):
        tfclf.export(checkpoint, tmp_path / "model", engine="original", xla_warm_up=True)
    assert not (tmp_path / "model").exists()


def test_it_works_in_dataset_map_and_inside_another_function(
    with_xla: tfclf.Classifier, without_xla: tfclf.Classifier
) -> None:
    texts = tf.data.Dataset.from_tensor_slices(list(HEADLINES)).batch(3)
    scores = [
        score
        for batch in texts.map(lambda text: with_xla(text)["score"])
        for score in batch.numpy()
    ]
    np.testing.assert_allclose(
        scores, without_xla(HEADLINES)["score"].numpy(), atol=TOLERANCE, rtol=0
    )
    best = tf.function(lambda text: tf.reduce_max(with_xla(text)["score"]))
    assert float(best(tf.constant(HEADLINES))) == pytest.approx(max(scores), abs=TOLERANCE)
