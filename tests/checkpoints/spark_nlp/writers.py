"""Writers of Spark NLP's files without Spark: Java objects, SequenceFiles, whole archives."""

import gzip
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from samples.checkpoints import LABELS, tiny_config, tiny_model, write_sentencepiece
from tfclf.checkpoints.spark_nlp.annotators import ANNOTATORS, short_name

Entry = tuple[Any, Any]
_OBJECT = "Ljava/lang/Object;"
_SYNC = bytes(range(16))
ZLIB, GZIP = "org.apache.hadoop.io.compress.DefaultCodec", "org.apache.hadoop.io.compress.GzipCodec"
_PACK: Mapping[str, Callable[[bytes], bytes]] = {ZLIB: zlib.compress, GZIP: gzip.compress}
# Small vocabularies of the two kinds that stand in fields.
WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz",
    *"ABC",
    "##s",
    "caf\u00e9",
)

MERGES = (("t", "h"), ("th", "e"), ("\u0120", "the"))


def byte_pieces() -> tuple[str, ...]:
    """RoBERTa's special tokens, the characters that stand for bytes, and what the merges make."""
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    special = ("<s>", "<pad>", "</s>", "<unk>")
    return (*special, *bytes_to_unicode().values(), *("".join(merge) for merge in MERGES), "<mask>")


class JavaStream:
    """A java.io.ObjectOutputStream, which repeats classes and strings by reference."""

    def __init__(self) -> None:
        self.content = b"\xac\xed\x00\x05"
        self._handles: dict[object, int] = {}
        self._next = 0x7E0000

    def array(self, entries: Sequence[Entry], *, of: str = "[Lscala.Tuple2;") -> "JavaStream":
        """An array of tuples."""
        self.content += b"u"
        self._class(of, (), None)
        self._new(None)
        self.content += struct.pack(">i", len(entries))
        for entry in entries:
            self._tuple(entry)
        return self

    def _value(self, value: object) -> None:
        if isinstance(value, str):
            self._string(value)
        elif isinstance(value, tuple):
            self._tuple(value)
        elif value is None:
            self.content += b"p"
        else:
            assert isinstance(value, int)
            self._number(value)

    def _tuple(self, value: Sequence[object]) -> None:
        self.content += b"s"
        self._class("scala.Tuple2", (("_1", _OBJECT), ("_2", _OBJECT)), None)
        self._new(None)
        for part in value:
            self._value(part)

    def _number(self, value: int) -> None:
        self.content += b"s"
        long = not -(2**31) <= value < 2**31
        self._class(
            "java.lang.Long" if long else "java.lang.Integer",
            (("value", "J" if long else "I"),),
            "Number",
        )
        self._new(None)
        self.content += struct.pack(">q" if long else ">i", value)

    def _string(self, value: str) -> None:
        if value in self._handles:
            self.content += b"q" + struct.pack(">i", self._handles[value])
            return
        self._new(value)
        # Java's own UTF-8.
        units = value.encode("utf-16-be")
        encoded = b"".join(
            b"\xc0\x80" if unit == "\0" else unit.encode("utf-8", "surrogatepass")
            for unit in (
                chr(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2)
            )
        )
        long = len(encoded) > 0xFFFF
        self.content += (
            (b"|" if long else b"t") + struct.pack(">q" if long else ">H", len(encoded)) + encoded
        )

    def _class(self, name: str, fields: Sequence[tuple[str, str]], above: str | None) -> None:
        key = ("class", name)
        if key in self._handles:
            self.content += b"q" + struct.pack(">i", self._handles[key])
            return
        self.content += b"r" + _utf(name) + bytes(8)
        self._new(key)
        self.content += b"\x02" + struct.pack(">H", len(fields))
        for field, code in fields:
            self.content += code[0].encode() + _utf(field)
            if code[0] == "L":
                self._string(code)
        self.content += b"x"
        if above:
            self._class(f"java.lang.{above}", (), None)
        else:
            self.content += b"p"

    def _new(self, key: object) -> None:
        if key is not None:
            self._handles[key] = self._next
        self._next += 1


def _utf(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")


def sequence_file(
    records: Iterable[bytes], *, codec: str | None = None, blocks: bool = False
) -> bytes:
    """A SequenceFile of NullWritable and BytesWritable, version 6."""
    head = (
        b"SEQ\x06"
        + _text("org.apache.hadoop.io.NullWritable")
        + _text("org.apache.hadoop.io.BytesWritable")
    )
    head += bytes([codec is not None, blocks]) + (_text(codec) if codec else b"") + bytes(4) + _SYNC
    framed = [struct.pack(">i", len(record)) + record for record in records]
    pack = _PACK[codec] if codec else bytes
    if not blocks:
        parts = []
        for number, record in enumerate(framed):
            if number % 3 == 2:
                parts.append(struct.pack(">i", -1) + _SYNC)
            packed = pack(record)
            parts.append(struct.pack(">ii", len(packed), 0) + packed)
        return head + b"".join(parts)
    lengths = b"".join(_variable(len(record)) for record in framed)
    buffers = (bytes(len(framed)), b"", lengths, b"".join(framed))
    block = struct.pack(">i", -1) + _SYNC + _variable(len(framed))
    return head + block + b"".join(_variable(len(packed)) + packed for packed in map(pack, buffers))


def _text(text: str) -> bytes:
    return _variable(len(text)) + text.encode("ascii")


def _variable(number: int) -> bytes:
    """Hadoop's VInt, of what is not negative."""
    if number <= 127:
        return struct.pack("b", number)
    size = (number.bit_length() + 7) // 8
    return struct.pack("b", -112 - size) + number.to_bytes(size, "big")


def write_field(
    model: Path, name: str, entries: Iterable[Entry], *, parts: int = 2, **options: Any
) -> None:
    """A field as Spark does: its entries shared out among parts, ten a record."""
    folder = model / "fields" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    every = list(entries)
    for part in range(parts):
        mine = every[part::parts]
        records = [JavaStream().array(mine[at : at + 10]).content for at in range(0, len(mine), 10)]
        (folder / f"part-{part:05d}").write_bytes(sequence_file(records, **options))
        (folder / f".part-{part:05d}.crc").write_bytes(b"crc\0")


def write_metadata(model: Path, class_name: str, **parameters: Any) -> None:
    """As Spark ML writes it: one line."""
    (model / "metadata").mkdir(parents=True, exist_ok=True)
    content = {
        "class": class_name,
        "sparkVersion": "3.2.4",
        "uid": "x",
        "paramMap": parameters,
        "defaultParamMap": {},
    }
    (model / "metadata" / "part-00000").write_text(json.dumps(content) + "\n", encoding="utf-8")
    (model / "metadata" / "_SUCCESS").touch()


def numbered(pieces: Iterable[Any]) -> list[Entry]:
    """The entries of a field that numbers things."""
    return [(piece, number) for number, piece in enumerate(pieces)]


def annotator_of(family: str) -> str:
    """The class name of Spark NLP's annotator for a model_type."""
    return next(name for name, annotator in ANNOTATORS.items() if annotator.model_type == family)


def spark_nlp_model(
    folder: Path,
    family: str,
    *,
    labels: Sequence[str] = LABELS,
    vocabulary: Sequence[str] | None = None,
    saved_model: bool = False,
    parameters: Mapping[str, Any] | None = None,
    change: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
    **config: Any,
) -> Any:
    """A tiny model of a family as a Spark NLP folder, all of it.

    Args:
      vocabulary: of the families that have one in a field; a small one by default.
      saved_model: whether to write the graph by `save_pretrained(saved_model=True)`, as Spark NLP's
        notebooks do, which is slow; else the same signature with a graph a tenth as large.
      parameters: in the metadata.
      change: what the graph computes of the logits.
      config: of the TF class, over samples/checkpoints.py's.
    Returns: the TF class instance that it was made of.
    """
    class_name = annotator_of(family)
    annotator = ANNOTATORS[class_name]
    written = (
        parameters if parameters is not None else {"caseSensitive": True, "maxSentenceLength": 64}
    )
    write_metadata(folder, class_name, **written)
    write_field(folder, "labels", numbered(labels))
    if annotator.sentencepiece:
        made = write_sentencepiece(folder / "sentencepiece", family)
        shutil.move(made, folder / annotator.sentencepiece)
        shutil.rmtree(folder / "sentencepiece")
    elif annotator.vocabulary == "vocab.json":
        write_field(folder, "vocabulary", numbered(vocabulary or byte_pieces()))
        # Spark NLP takes the version line for a merge.
        write_field(folder, "merges", numbered([("#version:", "0.2"), *MERGES]))
    else:
        write_field(folder, "vocabulary", numbered(vocabulary or WORDS))
    named = {str(number): label for number, label in enumerate(labels)}
    model = tiny_model(tiny_config(family, **{"vocab_size": 300, "id2label": named, **config}))
    name = short_name(class_name).removesuffix("ForSequenceClassification").lower()
    saved = folder.parent / f"{folder.name}_saved"
    export(model, saved, by_transformers=saved_model, change=change)
    pack_weights(saved, folder, f"{name}_classification_tensorflow")
    return model


def export(
    model: Any,
    folder: Path,
    *,
    by_transformers: bool,
    change: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> None:
    """A SavedModel of a TF class with the signature that transformers gives it, in `folder`."""
    if by_transformers:
        model.save_pretrained(folder, saved_model=True)
        shutil.copytree(folder / "saved_model" / "1", folder, dirs_exist_ok=True)
        return
    module = tf.Module()
    module.variables_of_model = list(model.weights)
    inputs = {
        name: tf.TensorSpec([None, None], tf.int32, name)
        for name in ("input_ids", "attention_mask")
    }

    @tf.function(input_signature=[inputs])
    def serving(given: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"logits": change(model(dict(given), training=False).logits)}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serving})


def pack_weights(
    saved: Path, folder: Path, name: str, *, method: int = zipfile.ZIP_DEFLATED
) -> None:
    """Write the inner zip (a bare GraphDef, the variables' files) and the field of signatures."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    read = SavedModel()
    read.ParseFromString((saved / "saved_model.pb").read_bytes())
    meta_graph = read.meta_graphs[0]
    signature = meta_graph.signature_def["serving_default"]
    with zipfile.ZipFile(folder / name, "w", method) as archive:
        for part in sorted((saved / "variables").iterdir()):
            archive.write(part, part.name)
        archive.writestr(
            "saved_model.pb", meta_graph.graph_def.SerializeToString(deterministic=True)
        )
    tensors = [*signature.inputs.items(), *signature.outputs.items()]
    write_field(folder, "signatures", [(name, tensor.name) for name, tensor in tensors])


def zipped(folder: Path, path: Path, *, below: str = "") -> Path:
    """A folder as a zip, its files at the top or `below` a folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{below}{file.relative_to(folder).as_posix()}")
    return path


def change_weights(model: Path, name: str, change: Callable[[Path], None]) -> None:
    """Changes the files inside the zip of the weights."""
    inside = model.parent / "inside"
    shutil.unpack_archive(model / name, inside, "zip")
    change(inside)
    (model / name).unlink()
    zipped(inside, model / name)
    shutil.rmtree(inside)
