"""Hostile requests: valid ones with mutated bytes or fields, and requests that never were valid.

Everything comes from a `random.Random`, so that a seed gives the same requests again.
"""

import base64
import gzip
import json
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import tensorflow as tf
from google.protobuf.message import DecodeError, Message
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.server.inputs import CLASSIFY, REGRESS, example, model_spec, text_examples
from tfclf.server.lifecycle.model_config import ConfigError, check_models

Rng = random.Random
PREDICTION, MODELS = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"

NAMES = (
    *(
        "",
        "echo",
        "scorer",
        "demo",
        "half_plus_two",
        "nowhere",
        "classify",
        "regress",
        "serving_default",
        "pairs",
    ),
    *(
        "text",
        "inputs",
        "x",
        "bad",
        "dangling",
        "dtypes",
        "__saved_model_init_op",
        "../echo",
        "/etc/passwd",
        "..%2f",
    ),
    *(
        "a\nb: c\r\n\r\nHTTP/1.1 200 OK",
        "\x1b[2J\x1b]0;title\x07",
        "\x00",
        "\u202e\u2028é😀",
        "n" * 5_000,
        "{}%s%n",
    ),
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    127,
    255,
    1 << 16,
    1 << 31,
    (1 << 31) - 1,
    1 << 32,
    (1 << 63) - 1,
    -(1 << 63),
    10**9,
)
TEXTS: tuple[bytes, ...] = (
    *(
        b"",
        b"Stocks rally as oil prices fall",
        b"\xff\xfe\x80",
        b"\x00",
        b"\xed\xa0\x80",
        "é😀\u202e".encode(),
    ),
    *(
        b"a" * 3_000,
        b"\n\r\x1b[31m",
        b"\xf0\x9f",
        "\u0300".encode() * 500,
        b"[CLS] [SEP] [PAD]",
        b" " * 1_000,
    ),
)


class Rest(NamedTuple):
    """The bytes of a request on the wire.

    Attributes:
      whole: whether an HTTP server can read it to its end; then it must answer and keep the
        connection.
    """

    sent: bytes
    whole: bool


def grpc_request(rng: Rng) -> tuple[str, bytes]:
    """Draw a method's path and a message's bytes; never a reload that would change the models."""
    path, message = _METHODS[rng.choice(_WEIGHTED)](rng)
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 3)):
            _spoil(rng, message)
    body = message.SerializeToString()
    if rng.random() < 0.25:
        body = _mutate(rng, body)
    if rng.random() < 0.02:
        path = rng.choice(_ODD_METHODS)
    elif rng.random() < 0.03:
        path = _METHODS[rng.choice(_WEIGHTED)](rng)[0]  # another method's message
    if path.endswith("HandleReloadConfigRequest") and _is_valid_reload(body):
        return grpc_request(rng)
    return path, body


def parses(path: str, body: bytes) -> bool:
    """Return whether the bytes are a message of the method."""
    kind = _KINDS.get(path)
    try:
        return kind is not None and kind.FromString(body) is not None
    except DecodeError:
        return False


def rest_request(rng: Rng) -> Rest:
    """Draw a request: mostly HTTP with odd contents, sometimes no HTTP at all."""
    if rng.random() < 0.03:
        return Rest(_no_http(rng), False)
    method, path, body = _rest_call(rng)
    headers = [
        ("Host", "a"),
        ("Content-Type", rng.choice(["application/json", "text/plain", "x/y; charset=utf-7"])),
    ]
    if rng.random() < 0.15:
        path = _odd_path(rng, path)
    if rng.random() < 0.1:
        headers += rng.choices(_ODD_HEADERS, k=rng.randint(1, 3))
    if rng.random() < 0.02:
        method = rng.choice(["PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "PATCH", "FOO"])
    chance = rng.random()
    if chance < 0.1:
        body = _compress(rng, body)
        headers.append(("Content-Encoding", rng.choice(["gzip", "gzip", "x-gzip", "gzip, gzip"])))
    elif chance < 0.12:
        headers.append(("Content-Encoding", rng.choice(["br", "deflate", "gzip", "\x7f"])))
    if rng.random() < 0.1:
        headers.append(("Transfer-Encoding", "chunked"))
        body = _split_into_chunks(rng, body)
    else:
        headers.append(("Content-Length", str(len(body))))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return Rest(
        "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body, method != "HEAD"
    )


# gRPC


def _tensor(rng: Rng) -> TensorProto:
    texts = rng.choices(TEXTS, k=rng.choice([1, 1, 1, 2, 5]))
    return tf.make_tensor_proto(texts, tf.string, shape=[len(texts)])


def _predict(rng: Rng) -> tuple[str, Message]:
    model, signature, inputs = rng.choice(_PREDICTS)
    request = PredictRequest(inputs={name: _tensor(rng) for name in inputs})
    if model == "half_plus_two":
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([[rng.gauss(0, 9)]], tf.float32))
        request.output_filter.append("y")
    request.model_spec.CopyFrom(model_spec(model, signature=signature))
    return PREDICTION + "Predict", request


def _input(rng: Rng, model: str) -> Input:
    if model == "demo":
        return text_examples(*rng.choices(TEXTS, k=rng.randint(1, 3)))
    given = Input()
    for _ in range(rng.randint(0, 4)):
        given.example_list.examples.append(example(x=rng.gauss(0, 9), name=rng.choice(TEXTS)))
    return given


def _classify(rng: Rng) -> tuple[str, Message]:
    model, signature = rng.choice([("scorer", ""), ("scorer", "only_scores"), ("demo", "classify")])
    spec = model_spec(model, signature=signature)
    return PREDICTION + "Classify", ClassificationRequest(model_spec=spec, input=_input(rng, model))


def _regress(rng: Rng) -> tuple[str, Message]:
    spec = model_spec(
        "scorer", signature=rng.choice(["regress", "regress_column", "checked", "one_value"])
    )
    return PREDICTION + "Regress", RegressionRequest(model_spec=spec, input=_input(rng, "scorer"))


def _multi(rng: Rng) -> tuple[str, Message]:
    request = MultiInferenceRequest(input=_input(rng, "scorer"))
    for _ in range(rng.randint(1, 3)):
        method, signature = rng.choice(
            [(CLASSIFY, "only_scores"), (CLASSIFY, ""), (REGRESS, "regress"), ("", "x")]
        )
        request.tasks.add(method_name=method, model_spec=model_spec("scorer", signature=signature))
    return PREDICTION + "MultiInference", request


def _metadata(rng: Rng) -> tuple[str, Message]:
    field = rng.choice(["signature_def", "signature_def", *NAMES])
    request = GetModelMetadataRequest(
        model_spec=model_spec(rng.choice(NAMES)), metadata_field=[field]
    )
    return PREDICTION + "GetModelMetadata", request


def _status(rng: Rng) -> tuple[str, Message]:
    return MODELS + "GetModelStatus", GetModelStatusRequest(
        model_spec=model_spec(rng.choice(NAMES))
    )


def _reload(rng: Rng) -> tuple[str, Message]:
    request = ReloadConfigRequest()
    for _ in range(rng.randint(0, 3)):
        path = rng.choice(
            ["", "models", "../..", "C:\\models", "./x", "\x00", "a\n/b"]
        )  # none of them absolute
        request.config.model_config_list.config.add(
            name=rng.choice(NAMES),
            base_path=path,
            model_platform=rng.choice(["tensorflow", "", "tflite", "\x1b"]),
        )
    return MODELS + "HandleReloadConfigRequest", request


_PREDICTS: Sequence[tuple[str, str, Sequence[str]]] = (
    ("echo", "", ["text"]),
    ("echo", "", ["text"]),
    ("echo", "pairs", ["text", "text_pair"]),
    ("echo", "with_default", ["text"]),
    ("echo", "scalar", ["text"]),
    ("echo", "dtypes", []),
    ("demo", "", ["text"]),
    ("half_plus_two", "", []),
)
_METHODS: dict[str, Callable[[Rng], tuple[str, Any]]] = {
    "predict": _predict,
    "classify": _classify,
    "regress": _regress,
    "multi": _multi,
    "metadata": _metadata,
    "status": _status,
    "reload": _reload,
}
_WEIGHTED = (
    *["predict"] * 6,
    *["classify"] * 2,
    *["regress"] * 2,
    *["multi"] * 2,
    "metadata",
    "status",
    "reload",
)
_KINDS: dict[str, Any] = {
    PREDICTION + "Predict": PredictRequest,
    PREDICTION + "Classify": ClassificationRequest,
    PREDICTION + "Regress": RegressionRequest,
    PREDICTION + "MultiInference": MultiInferenceRequest,
    PREDICTION + "GetModelMetadata": GetModelMetadataRequest,
    MODELS + "GetModelStatus": GetModelStatusRequest,
    MODELS + "HandleReloadConfigRequest": ReloadConfigRequest,
}
_ODD_METHODS = (
    *(
        PREDICTION + "Nope",
        PREDICTION,
        PREDICTION + "predict",
        PREDICTION + "Predict/",
        "/" + "x" * 3_000,
    ),
    *(
        "/",
        "/a",
        "/../../etc/passwd",
        "/tensorflow.serving.SessionService/SessionRun",
        "/%2e%2e/%00",
        "//",
    ),
    *("/grpc.health.v1.Health/Nope", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
)


def _is_valid_reload(body: bytes) -> bool:
    try:
        check_models(ReloadConfigRequest.FromString(body).config)
    except (DecodeError, ConfigError):
        return False
    return True


def _spoil(rng: Rng, message: Message) -> None:
    """Change one field somewhere within a message."""
    while True:
        present = [(field, value) for field, value in message.ListFields()]
        if isinstance(message, TensorProto) and rng.random() < 0.7:
            _spoil_tensor(rng, message)
            return
        if not present:
            return
        field, value = rng.choice(present)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key = rng.choice(sorted(value))
            if (
                field.message_type.fields_by_name["value"].message_type is None
                or rng.random() < 0.2
            ):
                if rng.random() < 0.5:
                    value[rng.choice(NAMES)]  # one more, empty
                else:
                    del value[key]
                return
            message = value[key]
        elif field.message_type is not None:
            if rng.random() < 0.1:
                message.ClearField(field.name)
                return
            message = value if isinstance(value, Message) else rng.choice(list(value))
        else:
            _set(rng, message, field, value)
            return


def _set(rng: Rng, message: Message, field: Any, old: Any) -> None:
    one = old[0] if not isinstance(old, str | bytes | int | float) else old
    kinds: dict[type, Sequence[Any]] = {
        str: NAMES,
        bytes: TEXTS,
        float: (0.0, 1e38, float("nan"), float("-inf")),
    }
    new = rng.choice(kinds.get(type(one), NUMBERS))
    try:
        if one is old:
            setattr(message, field.name, new)
        elif rng.random() < 0.5:
            getattr(message, field.name).append(new)
        else:
            del getattr(message, field.name)[0]
    except (ValueError, TypeError):  # a number too large for its field
        message.ClearField(field.name)


def _spoil_tensor(rng: Rng, tensor: TensorProto) -> None:
    chance = rng.random()
    if chance < 0.3:
        tensor.dtype = rng.choice([0, 1, 3, 7, 14, 20, 21, 23, 30, 101, 107, 999, -5])
    elif chance < 0.6:
        tensor.tensor_shape.ClearField("dim")
        for _ in range(rng.choice([0, 1, 1, 2, 3, 70, 300])):
            tensor.tensor_shape.dim.add(
                size=rng.choice([0, 1, 1, 2, -1, *NUMBERS]), name=rng.choice(NAMES)
            )
    elif chance < 0.7:
        tensor.tensor_shape.unknown_rank = True
    elif chance < 0.85:
        tensor.tensor_content = rng.choice(
            [*TEXTS, rng.randbytes(rng.randint(0, 99)), b"\xff" * 12]
        )
    else:
        tensor.ClearField("string_val")
        tensor.int_val.extend(
            rng.choices([number % (1 << 31) for number in NUMBERS], k=rng.randint(0, 4))
        )
        tensor.float_val.append(float("nan"))


def _mutate(rng: Rng, data: bytes) -> bytes:
    """Flip, remove, insert or repeat a few bytes, truncate them, or replace them all."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.choice([1, 4, 20, 300]))
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(changed) + 1)
        length = rng.choice([1, 1, 2, 8, 50])
        match rng.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(changed):
                changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5B])
            case 2:
                changed[at:at] = rng.randbytes(length)
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length] * rng.choice([1, 2, 30])
            case _ if rng.random() < 0.3:
                del changed[at:]
    return bytes(changed)


# REST


def _rest_call(rng: Rng) -> tuple[str, str, bytes]:
    """Draw method, path and body."""
    model = rng.choice(["echo", "echo", "scorer", "half_plus_two", "demo", *NAMES])
    path = f"/v1/models/{quote(model, safe='')}"
    chance = rng.random()
    if chance < 0.08:
        path += f"/versions/{rng.choice([*NUMBERS, '9' * 5_000, 'a'])}"
    elif chance < 0.12:
        path += f"/labels/{quote(rng.choice(NAMES))}"
    if rng.random() < 0.12:
        return "GET", path + rng.choice(["", "/metadata", "/", "/metadata/"]), b""
    verb = {"scorer": rng.choice(["classify", "regress"])}.get(model, "predict")
    if rng.random() < 0.05:
        verb = rng.choice(["classify", "regress", "predict", "PREDICT", "nope", "predict%00"])
    body = json.dumps(_document(rng, model), ensure_ascii=rng.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )
    if rng.random() < 0.35:
        body = _mutate(rng, body)
    elif rng.random() < 0.05:
        body = rng.choice(_ODD_JSON)
    return "POST", f"{path}:{verb}", body


def _document(rng: Rng, model: str) -> Any:
    if model == "scorer":
        rows = [{"x": rng.gauss(0, 9), "name": _value(rng)} for _ in range(rng.randint(0, 3))]
        document: dict[str, Any] = {"examples": rows}
        if rng.random() < 0.5:
            document["signature_name"] = rng.choice(
                ["regress", "serving_default", "only_scores", *NAMES]
            )
        if rng.random() < 0.2:
            document["context"] = {"name": _value(rng)}
    elif model == "half_plus_two":
        document = {
            rng.choice(["instances", "inputs"]): [
                [rng.gauss(0, 9)] for _ in range(rng.randint(1, 4))
            ]
        }
    else:
        texts = [_text(rng) for _ in range(rng.choice([1, 1, 2, 5]))]
        document = {rng.choice(["instances", "inputs"]): texts}
        if rng.random() < 0.3:
            document = {"instances": [{"text": text, "text_pair": _text(rng)} for text in texts]}
            document["signature_name"] = "pairs"
    if rng.random() < 0.4:
        _spoil_json(rng, document)
    return document


def _text(rng: Rng) -> Any:
    text = rng.choice(TEXTS)
    if rng.random() < 0.3:
        return {"b64": base64.b64encode(text).decode()}
    return text.decode("utf-8", rng.choice(["replace", "ignore"]))


def _value(rng: Rng) -> Any:
    values: tuple[Any, ...] = (
        None,
        True,
        1,
        1.5,
        1e300,
        -1,
        10**30,
        "",
        [],
        {},
        [[]],
        [[1], [2, 3]],
        {"b64": "?!"},
        {"b64": "QQ="},
    )
    return rng.choice(
        [
            *values,
            *({"b64": 1}, {"b64": "QQ==", "a": 1}, float("nan"), float("inf"), rng.choice(NAMES)),
        ]
    )


def _spoil_json(rng: Rng, value: Any) -> None:
    """Change one value somewhere within a document, or add one."""
    while True:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(value[key], dict | list) and rng.random() < 0.7:
            value = value[key]
            continue
        if isinstance(value, dict) and rng.random() < 0.2:
            value[rng.choice(["instances", "inputs", "signature_name", *NAMES])] = _value(rng)
        else:
            value[key] = _value(rng)
        return


_DEEP = 100_000
_ODD_JSON: tuple[bytes, ...] = (
    *(
        b"",
        b"null",
        b"[]",
        b'"',
        b"{",
        b"{}",
        b"\x00",
        b"\xef\xbb\xbf{}",
        b"[" * _DEEP,
        b'{"a":' * _DEEP,
    ),
    *(
        b'{"instances":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"instances": [' + b"9" * 50_000 + b"]}",
    ),
    *(
        b'{"instances": ["\\ud800"]}',
        b'{"instances": ["a"], "instances": 1}',
        b'{"instances": [1e999]}',
    ),
    b'{"inputs": ' + b"[" * 300 + b'"a"' + b"]" * 300 + b"}",
    b'{"instances": [' + b'"a",' * 40_000 + b'"a"]}',
    b'{"signature_name": "' + b"n" * 100_000 + b'", "instances": ["a"]}',
    b'{"instances": ["' + b"a" * 200_000 + b'", 1]}',
)
_ODD_HEADERS = (
    *(
        ("Host", "evil.example"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Expect", "100-continue"),
        ("X-A", "\xff\x80"),
    ),
    *(
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Upgrade", "h2c"),
        ("Accept-Encoding", "gzip, br"),
    ),
    *(
        ("Content-Type", "application/grpc"),
        ("X-Long", "x" * 10_000),
        ("Range", "bytes=0-"),
        ("Cookie", "a=" * 500),
    ),
    *(
        ("Origin", "null"),
        ("Authorization", "Basic ????"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("TE", "trailers"),
    ),
)


def _odd_path(rng: Rng, path: str) -> str:
    at = rng.randrange(1, len(path) + 1)
    odd = rng.choice(
        [
            *(
                "%00",
                "%2e%2e/",
                "../",
                "//",
                "%0d%0aX: y",
                "%0a%1b[31m",
                "%",
                "%zz",
                "%ff%fe",
                "?a=b",
                "#",
                "%25",
                ":",
            ),
            *("\\", "%c0%ae%c0%ae/", ";", "/versions/1", "/labels/%2f", "x" * 4_000, "*"),
        ]
    )
    if rng.random() < 0.1:
        return rng.choice(
            [
                "*",
                "/",
                "/v1",
                "/v1/models",
                "/v1/models/",
                "http://evil.example/",
                "/etc/passwd",
                "/../",
            ]
        )
    return path[:at] + odd + path[at:]


def _compress(rng: Rng, body: bytes) -> bytes:
    chance = rng.random()
    if chance < 0.02:
        return _BOMB
    zipped = gzip.compress(body, 1)
    if chance < 0.3:
        return _mutate(rng, zipped)
    return zipped + zipped if chance < 0.4 else zipped


_BOMB = gzip.compress(b" " * (101 << 20))


def _split_into_chunks(rng: Rng, body: bytes) -> bytes:
    pieces, start = [], 0
    while start < len(body):
        size = rng.choice([1, 10, 1_000, 100_000])
        piece = body[start : start + size]
        pieces.append(f"{len(piece):x}{rng.choice(['', ';a=b'])}\r\n".encode() + piece + b"\r\n")
        start += size
        if len(pieces) > 30:
            size = len(body) - start
            if size > 0:
                pieces.append(f"{size:x}\r\n".encode() + body[start:] + b"\r\n")
            break
    return b"".join(pieces) + b"0\r\n\r\n"


def _no_http(rng: Rng) -> bytes:
    begin = b"POST /v1/models/echo:predict HTTP/1.1\r\nHost: a\r\n"
    return rng.choice(
        [
            *(
                b"\x16\x03\x01\x02\x00\x01",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET /v1/models/echo\r\n\r\n",
                b"\r\n\r\n",
            ),
            *(
                begin + b"Content-Length: -1\r\n\r\n{}",
                begin + b"Content-Length: 99999999999999\r\n\r\n{}",
            ),
            *(
                begin + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
                begin + b"Content-Length: 1e3\r\n\r\n{}",
            ),
            *(
                begin + b"Content-Length: 100\r\n\r\n{}",
                begin + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
            ),
            begin + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            begin + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            begin + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
            *(
                begin + b" folded: x\r\n\r\n",
                begin + b"no colon\r\n\r\n",
                begin + b"A: \x00\r\n\r\n",
                begin + b"\xff: a\r\n\r\n",
            ),
            *(
                b"GET / HTTP/9.9\r\n\r\n",
                b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET  HTTP/1.1\r\n\r\n",
                b"x" * 70_000,
            ),
            *(
                rng.randbytes(200),
                b"GET /v1/models/echo HTTP/1.0\r\n\r\n",
                b"GET /v1/models/echo HTTP/1.1\r\n\r\n",
            ),
        ]
    )
