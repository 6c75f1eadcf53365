"""Load exports like TF Serving and print their outputs, in another TensorFlow, without tfclf.

    python tests/saved_model/tf1_session.py FOLDER... < texts.json > outputs.json

TF Serving's loader is a TF1 session filled from the MetaGraph alone, with TF-Text's ops linked in.
Warm-up records are replayed first, as plain protobuf, without tensorflow-serving-api.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
import tensorflow_text
from tensorflow.core.framework.tensor_pb2 import TensorProto


def run_export(folder: str, texts: list[str]) -> dict[str, object]:
    """Return labels and logits of `serving_default`, and the number of warm-up records that ran."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = v1.saved_model.load(session, ["serve"], folder).signature_def
        records = warm_up(session, signatures, f"{folder}/assets.extra/tf_serving_warmup_requests")
        signature = signatures["serving_default"]
        fetches = {name: signature.outputs[name].name for name in ("label", "logits")}
        feed = [text.encode("utf-8", "surrogateescape") for text in texts]
        outputs = session.run(fetches, {signature.inputs["text"].name: feed})
    labels = [label.decode("utf-8") for label in outputs["label"]]
    return {"labels": labels, "logits": outputs["logits"].tolist(), "records": records}


def warm_up(session: object, signatures: object, path: str) -> int:
    """Replay the Predict records; return their number."""
    count = 0
    for record in tf.compat.v1.io.tf_record_iterator(path):
        request = _read_field(_read_field(record, 6), 1)  # PredictionLog.predict_log.request
        if not request:
            continue
        signature = signatures[
            (_read_field(_read_field(request, 1), 3) or b"serving_default").decode()
        ]  # type: ignore[index]
        feeds = {}
        # PredictRequest.inputs: map entries of name and TensorProto.
        for entry in _read_fields(request, 2):
            name = _read_field(entry, 1).decode()
            proto = TensorProto.FromString(_read_field(entry, 2))
            feeds[signature.inputs[name].name] = tf.make_ndarray(proto)
        outputs = [output.name for output in signature.outputs.values()]
        session.run(outputs, feeds)  # type: ignore[attr-defined]
        count += 1
    return count


def _read_field(message: bytes, wanted: int) -> bytes:
    """Return the bytes of a length-delimited field; b"" if there is none."""
    return next(iter(_read_fields(message, wanted)), b"")


def _read_fields(message: bytes, wanted: int) -> list[bytes]:
    """Return the bytes of each occurrence of a length-delimited field."""
    found, position = [], 0
    while position < len(message):
        key, position = _read_varint(message, position)
        if key & 7 == 2:
            length, position = _read_varint(message, position)
            if key >> 3 == wanted:
                found.append(message[position : position + length])
            position += length
        else:
            _, position = _read_varint(message, position)
    return found


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


if __name__ == "__main__":
    given = json.load(sys.stdin)
    versions = {"tensorflow": tf.__version__, "tensorflow-text": tensorflow_text.__version__}
    json.dump(
        {"versions": versions, **{folder: run_export(folder, given) for folder in sys.argv[1:]}},
        sys.stdout,
    )
