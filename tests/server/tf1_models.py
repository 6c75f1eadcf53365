"""SavedModels as TF1 saved them: feature columns, assets, init ops, several graphs, faults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1
_WORDS = ("good", "bad", "fine")
# By graph tags: the value of that graph's output `graph_bytes`.
GRAPHS: Mapping[tuple[str, ...], str] = {
    ("train",): "train",
    ("serve",): "serve",
    ("serve", "gpu"): "serve and gpu",
}
# By output: the error code of computing it.
FAULTS: Mapping[str, str] = {
    "invalid": "INVALID_ARGUMENT",
    "uninitialized": "FAILED_PRECONDITION",
    "exhausted": "OUT_OF_RANGE",
    "missing_file": "NOT_FOUND",
    "too_many_dimensions": "UNIMPLEMENTED",
    "corrupt_file": "DATA_LOSS",
}


def _signature(method: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
        f"tensorflow/serving/{method}",
    )


def save_columns(folder: Path, *, legacy_init_op: bool = False) -> None:
    """Save what an estimator with a vocabulary column exports: words -> sum of their weights.

    The vocabulary is an asset; an init op fills its table. [good, bad, fine] weigh [1, -1, 0.5].
    """
    vocabulary = folder.parent / f"{folder.name}.txt"
    folder.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("\n".join(_WORDS) + "\n")
    with tf.Graph().as_default(), v1.Session() as session:
        asset = tf.constant(str(vocabulary), name="vocabulary")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        lines = tf.lookup.TextFileInitializer(asset, tf.string, whole, tf.int64, number)
        table = tf.lookup.StaticVocabularyTable(lines, num_oov_buckets=1)
        examples = v1.placeholder(tf.string, [None], name="input_example_tensor")
        words = v1.parse_example(examples, {"words": tf.io.VarLenFeature(tf.string)})["words"]
        ids = tf.SparseTensor(words.indices, table.lookup(words.values), words.dense_shape)
        weights = v1.get_variable(
            "linear/weights", initializer=[[1.0], [-1.0], [0.5], [0.0]], use_resource=False
        )
        logits = tf.nn.safe_embedding_lookup_sparse(weights, ids, combiner="sum")
        scores = tf.concat([1 - tf.sigmoid(logits), tf.sigmoid(logits)], axis=1, name="scores")
        classes = tf.tile([["0", "1"]], [tf.shape(logits)[0], 1])
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        inputs = {"inputs": examples}
        tables = v1.tables_initializer(name="init_all_tables")
        if legacy_init_op:
            v1.add_to_collection("legacy_init_op", tables)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": _signature(
                    "classify", inputs, {"classes": classes, "scores": scores}
                ),
                "regression": _signature("regress", inputs, {"outputs": logits}),
                "predict": _signature("predict", {"examples": examples}, {"logits": logits}),
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=None if legacy_init_op else tables,
        )
        builder.save()


def save_graphs(folder: Path) -> None:
    """Save several MetaGraphs over one variable, the one to serve in the middle."""
    builder = v1.saved_model.Builder(str(folder))
    for tags, name in GRAPHS.items():
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None], name="x")
            weight = v1.get_variable("weight", initializer=3.0)
            graph = tf.fill(tf.shape(x), name)
            session.run(v1.global_variables_initializer())
            signatures = {
                "serving_default": _signature(
                    "predict", {"x": x}, {"y": x * weight, "graph_bytes": graph}
                )
            }
            if name == "train":
                builder.add_meta_graph_and_variables(session, list(tags), signatures)
            else:
                builder.add_meta_graph(list(tags), signatures)
    builder.save()


def save_faults(folder: Path) -> None:
    """Save a model each of whose outputs fails with a code of its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    corrupt = folder.parent / f"{folder.name}.tfrecord"
    corrupt.write_text("no record at all, whatever the reader hopes for")
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        used = v1.get_variable("used", initializer=1.0)
        asset = tf.constant(str(corrupt), name="records")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        nothing = v1.data.make_one_shot_iterator(tf.data.Dataset.range(0)).get_next()
        files = v1.FIFOQueue(1, tf.string, shapes=[[]], name="files")
        with tf.control_dependencies([files.enqueue(asset)]):
            corrupt_file = v1.TFRecordReader().read(files)[1]
        forgotten = v1.Variable(1.0, collections=[], use_resource=False, name="forgotten")
        outputs = {
            "invalid": tf.debugging.check_numerics(x * float("nan"), "never a number"),
            "uninitialized": x * forgotten,
            "exhausted": x * tf.cast(nothing, tf.float32),
            "missing_file": tf.io.read_file("nowhere"),
            "too_many_dimensions": tf.reverse(
                tf.reshape(x, v1.placeholder_with_default([-1] + [1] * 8, [None])), [0]
            ),
            "corrupt_file": corrupt_file,
        }
        assert set(outputs) == set(FAULTS)
        session.run(used.initializer)
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                name: _signature("predict", {"x": x}, {"y": tensor})
                for name, tensor in outputs.items()
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            saver=v1.train.Saver([used]),
        )
        builder.save()


def save_slow_to_load(folder: Path, go: Path) -> None:
    """Save a model that loads once `go` exists; a request writes `began` and awaits `done`."""

    def until(file: Any) -> Any:
        return tf.while_loop(
            lambda found: found < 1, lambda _: [tf.size(tf.io.matching_files(file))], [0]
        )[0]

    with tf.Graph().as_default(), v1.Session() as session:
        began, done = (v1.placeholder(tf.string, [], name=name) for name in ("began", "done"))
        with tf.control_dependencies([tf.io.write_file(began, "")]):
            found = until(tf.identity(done))
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": _signature(
                    "predict", {"began": began, "done": done}, {"found": found}
                )
            },
            main_op=tf.group(until(tf.constant(str(go)))),
        )
        builder.save()
