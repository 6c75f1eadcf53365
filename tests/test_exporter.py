"""An export: what it holds, that it needs nothing else, and that no half of one is ever seen."""

import json
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

import tfclf
from samples.checkpoints import LABELS, short_sizes, tiny_checkpoint, tiny_config, tiny_model
from tests.forks import fork_python
from tests.signatures import few_signatures
from tfclf import exporter
from tfclf.errors import ExportError, InputError, SavedModelError
from tfclf.graph.build import ENGINES
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.ops import find_ops, serving_versions
from tfclf.saved_model.pieces import read_pieces
from tfclf.saved_model.versions import saved_model_folder


@pytest.fixture(scope="module")
def both(
    checkpoint: Path, exported: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """An export of each engine."""
    base = tmp_path_factory.mktemp("exports") / "original"
    return {"lean": exported, "original": tfclf.export(checkpoint, base, engine="original")}


@pytest.fixture(params=ENGINES)
def either(request: pytest.FixtureRequest, both: Mapping[str, Path]) -> Path:
    """One of them."""
    return both[request.param]


@pytest.fixture(scope="module")
def loaded(both: Mapping[str, Path]) -> Mapping[str, Any]:
    """The exports as TensorFlow alone loads them."""
    return {engine: tf.saved_model.load(str(version)) for engine, version in both.items()}


def _saved_model(version: Path) -> saved_model_pb2.SavedModel:
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version / "saved_model.pb").read_bytes())
    return model


def test_it_holds_the_signatures_of_the_contract(either: Path) -> None:
    signatures = set(_saved_model(either).meta_graphs[0].signature_def) - {"__saved_model_init_op"}
    contract = {"serving_default", "classify", "pairs", "tokenize", "encode"}
    lean = {"serving_xla", "detail_xla"} if Manifest.read(either).engine == "lean" else set()
    explain = {"explain", "explain_pairs", "explain_windows"}
    assert signatures == contract | {"detail", "detail_pairs", "windows"} | explain | lean


def test_its_outputs_are_those_of_the_contract(either: Path) -> None:
    signatures = _saved_model(either).meta_graphs[0].signature_def
    for name in {"serving_default", "serving_xla", "pairs"} & set(signatures):
        assert set(signatures[name].outputs) == {"label", "score", "probabilities", "logits"}
    assert set(signatures["classify"].outputs) == {"classes", "scores"}
    assert set(signatures["encode"].outputs) == {"logits", "probabilities"}


def test_classify_is_named_as_tf_serving_has_it(either: Path) -> None:
    signatures = _saved_model(either).meta_graphs[0].signature_def
    assert signatures["classify"].method_name == "tensorflow/serving/classify"
    assert signatures["serving_default"].method_name == "tensorflow/serving/predict"


@pytest.mark.parametrize("engine", ENGINES)
def test_every_output_starts_with_the_batch(loaded: Mapping[str, Any], engine: str) -> None:
    for signature in loaded[engine].signatures.values():
        for spec in signature.structured_outputs.values():
            assert spec.shape.rank >= 1
            assert spec.shape[0] is None


def test_its_graph_calls_no_python_function(either: Path) -> None:
    assert not {op for op in find_ops(either / "saved_model.pb") if "PyFunc" in op}


def test_it_holds_no_keras_object(either: Path) -> None:
    nodes = _saved_model(either).meta_graphs[0].object_graph_def.nodes
    assert not [node for node in nodes if "keras" in node.user_object.identifier]
    assert not (either / "keras_metadata.pb").exists()


def test_every_function_in_it_is_traced(either: Path) -> None:
    nodes = _saved_model(either).meta_graphs[0].object_graph_def.nodes
    functions = [node.function for node in nodes if node.WhichOneof("kind") == "function"]
    assert functions
    assert all(function.concrete_functions for function in functions)


def test_every_op_is_known_to_tf_serving_from_2_12(either: Path) -> None:
    assert serving_versions(either / "saved_model.pb") == "2.12 to 2.20"


def test_an_op_that_serving_lacks_is_refused(tmp_path: Path) -> None:
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().graph_def.node.add(name="x", op="MyOwnOp")
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match="MyOwnOp, which stock TF Serving does not link"):
        serving_versions(tmp_path / "saved_model.pb")


def test_a_python_function_in_a_graph_is_refused(tmp_path: Path) -> None:
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().graph_def.library.function.add().node_def.add(
        name="x", op="EagerPyFunc"
    )
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match="calls back into Python"):
        serving_versions(tmp_path / "saved_model.pb")


def test_both_engines_answer_the_same(
    both: Mapping[str, Path], classifier: tfclf.Classifier
) -> None:
    found = tfclf.load(both["original"])(HEADLINES)["logits"].numpy()
    np.testing.assert_allclose(found, classifier(HEADLINES)["logits"].numpy(), atol=1e-5)


def test_the_manifest_states_the_contract(exported: Path) -> None:
    manifest = json.loads((exported / "assets.extra" / "tfclf.json").read_text(encoding="utf-8"))
    assert manifest["format_version"] == 1
    assert manifest["family"] == "distilbert"
    assert manifest["engine"] == "lean"
    assert manifest["precision"] == "float32"
    assert manifest["labels"] == list(LABELS)
    assert manifest["max_length"] == 512
    assert manifest["versions"]["tensorflow"] == tf.__version__


def test_the_manifest_holds_the_checksum_of_every_other_file(exported: Path) -> None:
    manifest = json.loads((exported / "assets.extra" / "tfclf.json").read_text(encoding="utf-8"))
    files = {
        path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()
    }
    assert set(manifest["checksums"]) == files - {"assets.extra/tfclf.json"}


def test_it_names_the_pieces_of_its_ids(exported: Path, classifier: tfclf.Classifier) -> None:
    pieces = read_pieces(exported)
    ids = classifier.tokenize(["news"])[0].numpy().tolist()
    assert [pieces[one] for one in ids] == ["[CLS]", "news", "[SEP]"]


def test_its_warm_up_records_run(exported: Path, loaded: Mapping[str, Any]) -> None:
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    signatures = loaded["lean"].signatures
    kinds, called = [], []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        kinds.append(log.WhichOneof("log_type"))
        if kinds[-1] == "predict_log":
            request = log.predict_log.request
            inputs = {
                name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()
            }
            called.append(request.model_spec.signature_name)
            for output in signatures[called[-1]](**inputs).values():
                assert output.shape[0] == inputs["text"].shape[0]
        else:
            examples = log.classify_log.request.input.example_list.examples
            inputs = tf.constant([example.SerializeToString() for example in examples])
            assert signatures["classify"](inputs=inputs)["classes"].shape == (len(examples), 4)
    assert set(kinds) == {"predict_log", "classify_log"}
    by_predict = ["serving_default", "detail", "pairs", "detail_pairs", "windows", "tokenize"]
    assert called == by_predict * 2  # one row, then a batch


def test_classify_gives_every_label_with_its_probability(
    loaded: Mapping[str, Any], classifier: tfclf.Classifier
) -> None:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[HEADLINES[0].encode()]))
    example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
    answer = loaded["lean"].signatures["classify"](
        inputs=tf.constant([example.SerializeToString()])
    )
    assert [label.decode() for label in answer["classes"].numpy()[0]] == list(LABELS)
    np.testing.assert_allclose(
        answer["scores"].numpy(), classifier(HEADLINES[:1])["probabilities"].numpy(), atol=1e-6
    )


def test_it_is_callable_without_tfclf(
    loaded: Mapping[str, Any], classifier: tfclf.Classifier
) -> None:
    answer = loaded["lean"](tf.constant(HEADLINES))
    np.testing.assert_allclose(
        answer["logits"].numpy(), classifier(HEADLINES)["logits"].numpy(), atol=1e-6
    )


def test_it_works_in_dataset_map(classifier: tfclf.Classifier) -> None:
    labels = (
        tf.data.Dataset.from_tensor_slices(list(HEADLINES))
        .batch(3)
        .map(lambda text: classifier(text)["label"])
    )
    found = [label for batch in labels for label in batch.numpy()]
    assert found == classifier(HEADLINES)["label"].numpy().tolist()


def test_it_works_inside_another_function(classifier: tfclf.Classifier) -> None:
    @tf.function
    def best_score(text: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(classifier(text)["score"])

    expected = classifier(HEADLINES)["score"].numpy().max()
    assert best_score(tf.constant(HEADLINES)).numpy() == pytest.approx(expected, abs=1e-6)


def test_it_works_as_a_keras_layer(exported: Path, classifier: tfclf.Classifier) -> None:
    layer = keras.layers.TFSMLayer(str(exported), call_endpoint="serving_default")
    np.testing.assert_allclose(
        layer(tf.constant(HEADLINES))["logits"].numpy(),
        classifier(HEADLINES)["logits"].numpy(),
        atol=1e-6,
    )


def test_they_load_and_answer_where_transformers_and_keras_cannot_be_imported(
    both: Mapping[str, Path],
) -> None:
    script = textwrap.dedent(
        """
        import importlib.abc, sys

        BLOCKED = {"transformers", "tf_keras", "tokenizers", "safetensors", "keras"}

        class Blocker(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in BLOCKED:
                    raise ImportError(f"{name} is blocked")

        import tensorflow  # imports Keras if it can, to offer tf.keras
        for name in list(sys.modules):
            if name.split(".")[0] in {"keras", "tf_keras"}:
                del sys.modules[name]
        sys.meta_path.insert(0, Blocker())
        import tfclf
        for path in sys.argv[1:]:
            print(tfclf.load(path).predict(["Shares jump after earnings"])[0].label)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, both.values())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [label in LABELS for label in done.stdout.split("\n")[:-1]] == [True, True]


@pytest.fixture
def trace_one_signature() -> Iterator[None]:
    """Let an export hold only its first signature: tracing all of them takes seconds."""

    with few_signatures():
        yield


@pytest.mark.usefixtures("trace_one_signature")
def test_the_next_free_version_is_taken(own_export: Path, short_checkpoint: Path) -> None:
    assert tfclf.export(short_checkpoint, own_export.parent).name == "2"


def test_a_version_that_is_there_is_not_overwritten(own_export: Path, checkpoint: Path) -> None:
    with pytest.raises(ExportError, match="exists already"):
        tfclf.export(checkpoint, own_export.parent, version=1)


@pytest.mark.parametrize(("version", "written"), [(None, "2"), (1, None)])
def test_a_version_that_another_process_writes_meanwhile_is_left_alone(
    version: int | None,
    written: str | None,
    tmp_path: Path,
    short_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = tmp_path / "model"

    def write(*_: object, **__: object) -> None:
        (base / "1").mkdir()
        (base / "1" / "saved_model.pb").write_text("of another process")

    monkeypatch.setattr(exporter, "_write", write)
    if written:
        assert tfclf.export(short_checkpoint, base, version=version) == base / written
    else:
        with pytest.raises(ExportError, match=r"1 was written by another process .*Give another"):
            tfclf.export(short_checkpoint, base, version=version)
    assert (base / "1" / "saved_model.pb").read_text() == "of another process"
    assert {path.name for path in base.iterdir()} == {"1"} | ({written} if written else set())


@pytest.mark.parametrize("version", [0, -1, "1", 1.5])
def test_a_version_is_a_whole_number_above_zero(
    tmp_path: Path, checkpoint: Path, version: object
) -> None:
    with pytest.raises(ExportError, match="expected a whole number above 0"):
        tfclf.export(checkpoint, tmp_path / "model", version=version)  # type: ignore[arg-type]


def test_the_newest_version_is_loaded_by_number(own_export: Path) -> None:
    (own_export.parent / "2").symlink_to(own_export)
    (own_export.parent / "10").symlink_to(own_export)
    assert saved_model_folder(own_export.parent) == own_export.parent / "10"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(28, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "disk full"),
    ],
)
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(graph: object, manifest: object, folder: Path, **_: object) -> None:
        (folder / "saved_model.pb").touch()
        raise failure

    monkeypatch.setattr(exporter, "_write", fail)
    with pytest.raises(ExportError, match="Nothing was left there"):
        tfclf.export(checkpoint, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("trace_one_signature")
def test_a_disk_that_fills_up_in_the_middle_is_told(tmp_path: Path, short_checkpoint: Path) -> None:
    """A real one: the limit on file size stops TensorFlow's own writer."""
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
    try:
        with pytest.raises(ExportError, match="Nothing was left there"):
            tfclf.export(short_checkpoint, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("trace_one_signature")
def test_a_kill_in_the_middle_leaves_no_version(tmp_path: Path, short_checkpoint: Path) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys
        import tfclf, tfclf.exporter
        traced = tfclf.exporter.signatures_of
        tfclf.exporter.signatures_of = lambda graph: traced(graph)[:1]  # one is enough, and quicker
        tfclf.exporter._write_warm_up = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        tfclf.export(sys.argv[1], sys.argv[2])
        """
    )
    done = subprocess.run(
        [fork_python(), "-c", script, str(short_checkpoint), str(tmp_path / "model")],
        capture_output=True,
        check=False,
    )
    assert done.returncode == -9
    with pytest.raises(tfclf.TfclfError, match="expected an exported model"):
        tfclf.load(tmp_path / "model")
    assert tfclf.export(short_checkpoint, tmp_path / "model").name == "1"


def test_options_that_do_not_exist_are_named(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="engine is 'fast'; expected auto, lean, original"):
        tfclf.export(checkpoint, tmp_path / "model", engine="fast")


def test_the_original_engine_has_one_precision(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="runs the TF class as it is"):
        tfclf.export(checkpoint, tmp_path / "model", engine="original", precision="bfloat16")


@pytest.mark.usefixtures("trace_one_signature")
def test_float16_storage_is_exact_for_float16_weights(tmp_path: Path) -> None:
    sizes = short_sizes("distilbert")
    folder = tiny_checkpoint(tmp_path / "rounded", **sizes)
    model = tiny_model(tiny_config("distilbert", **sizes))
    for weight in model.weights:
        weight.assign(tf.cast(tf.cast(weight, tf.float16), tf.float32))
    model.save_weights(folder / "tf_model.h5")
    half = tfclf.load(tfclf.export(folder, tmp_path / "half", storage="float16"))
    whole = tfclf.load(folder)
    assert half(HEADLINES)["logits"].numpy().tolist() == whole(HEADLINES)["logits"].numpy().tolist()


@pytest.mark.usefixtures("trace_one_signature")
def test_bfloat16_weights_are_stored_once_and_in_two_bytes(
    tmp_path: Path, checkpoint: Path
) -> None:
    model = tiny_model(tiny_config("distilbert"))
    large = sum(
        int(np.prod(weight.shape))
        for weight in model.weights
        if min(weight.shape) > 4 and len(weight.shape) == 2
    )
    path = tfclf.export(checkpoint, tmp_path / "model", precision="bfloat16")
    stored = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    dtypes, shapes = stored.get_variable_to_dtype_map(), stored.get_variable_to_shape_map()
    halved = [name for name, dtype in dtypes.items() if dtype == tf.bfloat16]
    head = model.config.dim**2  # the head stays in float32: it is small, and decides
    assert sum(int(np.prod(shapes[name])) for name in halved) == large - head
    others = [int(np.prod(shapes[name])) for name, dtype in dtypes.items() if dtype == tf.float32]
    assert max(others) == head
    data = sum(path.stat().st_size for path in (path / "variables").glob("variables.data*"))
    assert data < 2 * large + 4 * sum(others) + 50_000


def test_a_saved_model_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))
    with pytest.raises(SavedModelError, match="not one that tfclf wrote"):
        tfclf.load(tmp_path)


def test_a_manifest_of_another_format_is_refused(own_export: Path) -> None:
    path = own_export / "assets.extra" / "tfclf.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"format_version": 1', '"format_version": 9'),
        encoding="utf-8",
    )
    with pytest.raises(SavedModelError, match="format version 9; this tfclf reads 1"):
        tfclf.load(own_export)


@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_a_cut_file_is_refused(own_export: Path, file: str) -> None:
    path = own_export / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SavedModelError, match=r"cannot be loaded|is not the file"):
        tfclf.load(own_export)
