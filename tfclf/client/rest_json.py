"""Encode and decode TF Serving's JSON. Source: TF Serving, json_tensor.cc."""

import base64
import json
from array import array
from collections.abc import Mapping
from typing import Any

from tfclf.client.messages import Metadata, Request, SignatureInfo, TensorInfo, VersionStatus


def encode_request(request: Request) -> bytes:
    """Encode the body of a :predict in columnar form.

    >>> encode_request(Request("detail", {"text": [b"goal"]}, ("label",)))
    b'{"signature_name":"detail","inputs":{"text":["goal"]}}'
    """
    inputs = {
        name: [value if isinstance(value, int) else _encode_text(value) for value in values]
        for name, values in request.inputs.items()
    }
    content = {"signature_name": request.signature, "inputs": inputs}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _encode_text(text: bytes) -> str | dict[str, str]:
    r"""Encode a text; invalid UTF-8 goes as base64, so it reaches the graph as it is over gRPC.

    >>> _encode_text(b"goal"), _encode_text(b"\xff")
    ('goal', {'b64': '/w=='})
    """
    try:
        return text.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(text).decode()}


def decode_outputs(content: bytes) -> dict[str, list[Any]]:
    """Decode the outputs by name: strings as bytes, fractions as the float32 that was written.

    TF Serving writes enough digits to tell a float32 from its neighbours, so nothing is lost.

    >>> decode_outputs(b'{"outputs": {"label": ["Sports"], "score": [0.9], "n": [3]}}')
    {'label': [b'Sports'], 'score': [0.8999999761581421], 'n': [3]}

    Raises: ValueError, KeyError, TypeError or AttributeError if `content` is anything else.
    """
    return {
        name: [_decode_value(value) for value in values]
        for name, values in json.loads(content)["outputs"].items()
    }


def _decode_value(value: Any) -> Any:
    if isinstance(value, list):
        if value and all(isinstance(entry, float) for entry in value):
            return array("f", value).tolist()
        return [_decode_value(entry) for entry in value]
    if isinstance(value, str):
        return value.encode()
    return array("f", [value])[0] if isinstance(value, float) else value


def decode_metadata(content: bytes, model: str) -> Metadata:
    """Decode the response to GET /metadata, but for what the server sends beside it.

    Raises: the errors of `decode_outputs`.
    """
    answer = json.loads(content)
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    infos = {
        name: SignatureInfo(
            definition.get("method_name", ""),
            _decode_tensor_infos(definition.get("inputs")),
            _decode_tensor_infos(definition.get("outputs")),
        )
        for name, definition in signatures.items()
    }
    return Metadata(model, int(answer["model_spec"]["version"]), infos)


def _decode_tensor_infos(tensors: Mapping[str, Any] | None) -> dict[str, TensorInfo]:
    infos = {}
    for name, info in (tensors or {}).items():
        shape = info.get("tensor_shape") or {}
        sizes = None
        if not shape.get("unknown_rank"):
            sizes = [int(one.get("size", 0)) for one in shape.get("dim") or ()]
        infos[name] = TensorInfo.of(info["dtype"], sizes)
    return infos


def decode_status(content: bytes) -> tuple[VersionStatus, ...]:
    """Decode the response to GET of a model. Raises: the errors of `decode_outputs`."""
    return tuple(
        VersionStatus(
            int(one["version"]),
            one["state"],
            one.get("status", {}).get("error_code", "OK"),
            one.get("status", {}).get("error_message", ""),
        )
        for one in json.loads(content)["model_version_status"]
    )


def decode_error(content: bytes) -> str | None:
    """Decode the words of an error response; None if it is not one of TF Serving's.

    >>> decode_error(b'{"error": "Servable not found for request: Latest(news)"}')
    'Servable not found for request: Latest(news)'
    >>> decode_error(b"<html>It works!</html>") is None
    True
    """
    try:
        message = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return message if isinstance(message, str) else None
