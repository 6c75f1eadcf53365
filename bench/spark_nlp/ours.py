"""tfclf on Spark and in one process, in the project's environment; it also writes the material."""

import functools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.engine import BATCH, Array, Classify, Material, written_once
from bench.peers.loads import PEER_CASES

CASE = PEER_CASES[0]
# As `tfclf predict` and Spark's workers set them by themselves.
ENVIRONMENT = {"TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}


def prepare(material: Material) -> None:
    """Write a checkpoint with random weights, its SavedModel for Spark NLP, and our export."""
    import tfclf
    from bench.material import base_checkpoint

    checkpoint = material.checkpoint
    if not checkpoint.exists():
        sizes = {**CASE.case.sizes, **CASE.sizes}
        with written_once(checkpoint.parent) as folder:
            assert folder is not None
            base_checkpoint(replace(CASE.case, sizes=sizes), folder / checkpoint.name)
    with written_once(material.folder / "saved_model") as folder:
        if folder:
            _write_saved_model(checkpoint, folder)
    export = _export_of(material)
    if not export.exists():
        for older in material.folder.glob("export-*"):
            shutil.rmtree(older)
        with written_once(export) as folder:
            assert folder is not None
            tfclf.export(checkpoint, folder)


def _write_saved_model(checkpoint: Path, folder: Path) -> None:
    """Write what Spark NLP's `loadSavedModel` takes, as its documentation tells to.

    That is the TF class with 32-bit inputs, and the vocabulary and labels as assets.
    """
    import tensorflow as tf

    from bench.peers.engine import read_config
    from tfclf._transformers import tf_class
    from tfclf.families import known

    model = tf_class(known()[CASE.case.model_type].tf_class).from_pretrained(checkpoint)
    inputs = {
        name: tf.TensorSpec([None, None], tf.int32, name=name)
        for name in ("input_ids", "attention_mask")
    }
    serve = tf.function(model.serving, input_signature=[inputs])
    tf.saved_model.save(model, str(folder), signatures={"serving_default": serve})
    _leave_out_newer_ops(folder / "saved_model.pb")
    assets = folder / "assets"
    assets.mkdir(exist_ok=True)
    shutil.copy(checkpoint / "vocab.txt", assets)
    labels = read_config(checkpoint)["id2label"]
    (assets / "labels.txt").write_text("\n".join(labels[key] for key in sorted(labels)), "utf-8")


def _leave_out_newer_ops(path: Path) -> None:
    """Let TensorFlow 2.7 read the file.

    The function that saves variables, which is unused here, has an op that came later.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved_model = SavedModel.FromString(path.read_bytes())
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "DisableCopyOnRead":
                waits = [f"^{name.removeprefix('^').partition(':')[0]}" for name in node.input]
                node.CopyFrom(type(node)(name=node.name, op="NoOp", input=waits))
    path.write_bytes(saved_model.SerializeToString())


def load(material: Material, *, way: str) -> Classify:
    """Return one way to use the export; a session is made once."""
    ways: dict[str, Callable[[Path], Classify]] = {
        "snippet": _load_snippet,
        "classify": _load_classify,
        "process": _load_process,
    }
    return ways[way](_export_of(material))


def _load_snippet(export: Path) -> Classify:
    from bench.spark_nlp.snippet import classify_by, make_pipeline
    from tfclf.spark import sparknlp

    session = _start()
    classifier = sparknlp.DistilBertForSequenceClassification.loadSavedModel(str(export), session)
    return classify_by(session, make_pipeline(sparknlp, classifier), classifier.getClasses())


def _load_classify(export: Path) -> Classify:
    from bench.spark_nlp.snippet import from_probabilities
    from tfclf.saved_model.manifest import Manifest
    from tfclf.saved_model.versions import saved_model_folder
    from tfclf.spark import classify

    def score(frame: Any) -> list[Any]:
        rows = classify(frame, str(export)).select("prediction.probabilities").collect()
        return [row.probabilities for row in rows]

    version = saved_model_folder(export)
    assert version is not None
    return from_probabilities(_start(), score, Manifest.read(version).labels)


def _load_process(export: Path) -> Classify:
    from tfclf._tensorflow import use_cores_as_streams

    streams = use_cores_as_streams()
    import tfclf

    clf = tfclf.load(export)

    def classify(texts: Sequence[str]) -> Array:
        columns = clf.predict_columns(list(texts), batch_size=BATCH, streams=streams)
        logits: Array = np.log(columns["probabilities"])
        return logits

    return classify


@functools.cache
def _start() -> Any:
    from bench.spark_nlp.snippet import MASTER
    from tfclf.spark import start

    return start(master=MASTER, config={"spark.ui.enabled": "false"})


def _export_of(material: Material) -> Path:
    return material.folder / f"export-{material.code}"
