"""TF Serving's JSON, as a client writes and reads it. Source: TF Serving, json_tensor.cc."""

import base64
import json
from array import array
from collections.abc import Mapping
from typing import Any

from tfclf.client.messages import Ask, Metadata, SignatureInfo, TensorInfo, VersionStatus


def request_of(ask: Ask) -> bytes:
    """The body of a :predict, in the form by column."""
    inputs = {name: [_text(text) for text in texts] for name, texts in ask.inputs.items()}
    content = {"signature_name": ask.signature, "inputs": inputs}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _text(text: bytes) -> str | dict[str, str]:
    try:
        return text.decode()
    except UnicodeDecodeError:
        # What is no UTF-8 reaches the graph as it is over gRPC, and so it does here.
        return {"b64": base64.b64encode(text).decode()}


def outputs_of(content: bytes) -> dict[str, list[Any]]:
    """The outputs by name; strings as bytes, numbers with a fraction as the float32 that they were.

    TF Serving writes as many digits as tell a float32 from its neighbours, so that nothing is lost.
    Raises: ValueError, KeyError, TypeError, AttributeError for what is no such answer.
    """
    return {
        name: [_value(value) for value in values]
        for name, values in json.loads(content)["outputs"].items()
    }


def _value(value: Any) -> Any:
    if isinstance(value, list):
        if value and all(isinstance(entry, float) for entry in value):
            return array("f", value).tolist()
        return [_value(entry) for entry in value]
    if isinstance(value, str):
        return value.encode()
    return array("f", [value])[0] if isinstance(value, float) else value


def metadata_of(content: bytes, model: str) -> Metadata:
    """The answer to GET /metadata. Raises: as `outputs_of`."""
    answer = json.loads(content)
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    described = {
        name: SignatureInfo(
            definition.get("method_name", ""),
            _infos(definition.get("inputs")),
            _infos(definition.get("outputs")),
        )
        for name, definition in signatures.items()
    }
    return Metadata(model, int(answer["model_spec"]["version"]), described)


def _infos(tensors: Mapping[str, Any] | None) -> dict[str, TensorInfo]:
    infos = {}
    for name, info in (tensors or {}).items():
        shape = info.get("tensor_shape") or {}
        sizes = (
            None
            if shape.get("unknown_rank")
            else [int(one.get("size", 0)) for one in shape.get("dim") or ()]
        )
        infos[name] = TensorInfo.of(info["dtype"], sizes)
    return infos


def status_of(content: bytes) -> tuple[VersionStatus, ...]:
    """The answer to GET of the model. Raises: as `outputs_of`."""
    return tuple(
        VersionStatus(
            int(one["version"]),
            one["state"],
            one.get("status", {}).get("error_code", "OK"),
            one.get("status", {}).get("error_message", ""),
        )
        for one in json.loads(content)["model_version_status"]
    )


def error_of(content: bytes) -> str | None:
    """The words of an answer that is an error; None where it is not one of TF Serving's."""
    try:
        message = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return message if isinstance(message, str) else None
