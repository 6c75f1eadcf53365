"""Small SavedModels, made on the spot: an echo model of TF2, and half_plus_two of TF1."""

from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

TEXT = tf.TensorSpec([None], tf.string, name="text")
FLOATS = ("half", "bfloat16", "float64", "complex64", "complex128")
DTYPES = (*FLOATS, "bool", "uint8", "uint16", "uint32", "uint64")
# The dtypes that REST reads and writes.
JSON_DTYPES = (
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint32",
    "uint64",
    "bool",
    "string",
)


class Echo(tf.Module):
    """A model with outputs of several dtypes, from a variable, an asset and an op of TF-Text."""

    def __init__(self, version: int, vocabulary: Path) -> None:
        super().__init__()
        self.version = tf.Variable(version, dtype=tf.int64)
        whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        lines = tf.lookup.TextFileInitializer(str(vocabulary), tf.string, whole, tf.int64, number)
        self.vocabulary = tf.lookup.StaticHashTable(lines, default_value=-1)

    @tf.function(input_signature=[TEXT])
    def echo(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        length = tf.strings.length(text)
        halves = tf.cast(length, tf.float32) / 2
        return {
            "text": text,
            "folded": tf_text.case_fold_utf8(text),
            "length": length,
            "half": tf.stack([halves, halves + 1], axis=1),
            "id": self.vocabulary.lookup(text),
            "version": tf.fill(tf.shape(length), self.version),
        }

    @tf.function(input_signature=[TEXT, tf.TensorSpec([None], tf.string, name="text_pair")])
    def pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"joined": tf.strings.join([text, text_pair], "+")}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="text")])
    def scalar(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"text": tf.identity(text)}

    @tf.function(input_signature=[])
    def dtypes(self) -> dict[str, tf.Tensor]:
        return {name: tf.cast([[0, 1, 2]], name) for name in DTYPES}

    @tf.function(input_signature=[TEXT])
    def parse(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Fail on a text that is no number, and quote it."""
        return {"number": tf.strings.to_number(text)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="steps")])
    def slow(self, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        square = tf.fill([200, 200], tf.cast(self.version, tf.float32))
        loop = tf.while_loop(
            lambda i, _: i < steps, lambda i, x: (i + 1, x @ x * 0.001), [0, square]
        )
        return {"sum": tf.reduce_sum(loop[1])}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="file")])
    def until(self, file: tf.Tensor) -> dict[str, tf.Tensor]:
        """Run until the file exists: as long as a test needs, however fast the machine is."""
        loop = tf.while_loop(
            lambda found: found < 1,
            lambda _: [tf.size(tf.io.matching_files(file))],
            [tf.constant(0)],
        )
        return {"found": loop[0]}


def save_echo(folder: Path, version: int) -> None:
    vocabulary = folder.parent.parent / "vocabulary.txt"
    vocabulary.write_text("good\nbad\n")
    echo = Echo(version, vocabulary)
    signatures = {
        name: getattr(echo, name)
        for name in ("pairs", "scalar", "dtypes", "parse", "slow", "until")
    }
    tf.saved_model.save(echo, str(folder), signatures={"serving_default": echo.echo, **signatures})
    _add_odd_signatures(folder / "saved_model.pb")


def _add_odd_signatures(path: Path) -> None:
    """Add a signature with a default input, and one whose output is not in the graph."""
    saved_model = SavedModel.FromString(path.read_bytes())
    signatures = saved_model.meta_graphs[0].signature_def
    signatures["with_default"].CopyFrom(signatures["pairs"])
    signatures["with_default"].defaults["text_pair"].CopyFrom(
        tf.make_tensor_proto(["!"], shape=[1])
    )
    signatures["dangling"].CopyFrom(signatures["pairs"])
    signatures["dangling"].outputs["joined"].name = "nowhere:0"
    path.write_bytes(saved_model.SerializeToString())


def save_half_plus_two(folder: Path) -> None:
    """Save TF Serving's own example as TF1 does: x is float32[batch, 1]; computing `bad` fails."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        a, b = v1.get_variable("a", initializer=0.5), v1.get_variable("b", initializer=2.0)
        x = v1.placeholder(tf.float32, [None, 1], name="x")
        y = tf.add(a * x, b, name="y")
        bad = tf.debugging.check_numerics(y * float("nan"), "never a number", name="bad")
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {"x": info(x)}, {"y": info(y), "bad": info(bad)}, "tensorflow/serving/predict"
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
