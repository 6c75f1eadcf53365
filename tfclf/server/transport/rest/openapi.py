"""/openapi.json: TF Serving's REST API as an OpenAPI document, for the models that are served now.

Each model has paths of its own, so that its signatures and examples can be named. The examples can
be sent as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfclf._version import __version__
from tfclf.decision import CALIBRATED
from tfclf.saved_model.signature_names import DETAIL_XLA, SERVING_DEFAULT, SERVING_XLA
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError
from tfclf.server.transport.healthz import HEALTH_PATH
from tfclf.server.transport.rest.decide import can_decide

OPENAPI_PATH = "/openapi.json"
FindText = Callable[[Servable], str]
Json = dict[str, Any]

_EXAMPLE_RPCS = ("classify", "regress")
# XLA compiles these at their first call, which takes seconds.
_WITHOUT_EXAMPLE = (SERVING_XLA, DETAIL_XLA)
_NUMBERS: Mapping[int, Any] = {
    types_pb2.DT_FLOAT: 1.0,
    types_pb2.DT_DOUBLE: 1.0,
    types_pb2.DT_BOOL: True,
    **dict.fromkeys((types_pb2.DT_INT32, types_pb2.DT_INT64), 1),
}


def openapi_route(registry: Registry, find_text: FindText) -> Route:
    """Return the route of the document, which is made anew for each request.

    Args:
      find_text: returns a text for a model's examples.
    """

    def show(_: Request) -> JSONResponse:
        document = describe_api(registry, find_text)
        return JSONResponse(document, headers={"Cache-Control": "no-store"})

    return Route(OPENAPI_PATH, show)


def describe_api(registry: Registry, find_text: FindText) -> Json:
    """Return the document, by OpenAPI 3.1."""
    paths: dict[str, Json] = {HEALTH_PATH: {"get": _describe_health()}}
    names = registry.states.names()
    for name in names:
        try:
            servable = registry.find(ModelSpec(name=name))
        except RequestError:
            continue  # no version answers now
        paths |= _describe_model(servable, find_text(servable))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tfclf serve",
            "version": __version__,
            "description": "TensorFlow Serving's REST API and :decide, our own form, with the "
            "models that this server has now. Every response has the header x-request-id.",
        },
        "tags": [{"name": name} for name in names],
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "responses": _RESPONSES},
    }


def _describe_model(servable: Servable, text: str) -> dict[str, Json]:
    """Return the paths of a model's latest version, and those that name a version."""
    name = servable.name
    root = f"/v1/models/{quote(name, safe='')}"
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "example": servable.version,
    }
    paths: dict[str, Json] = {}
    predict = _describe_predict(servable, text)
    places: tuple[tuple[str, list[Json]], ...] = (
        (root, []),
        (f"{root}/versions/{{version}}", [version]),
    )
    for place, parameters in places:
        of = "the version named" if parameters else "the latest version"
        operations: dict[str, tuple[str, str, str, Json | None]] = {
            place: ("get", "Status", "ModelStatus", None),
            f"{place}/metadata": ("get", "Signatures", "Metadata", None),
            f"{place}:predict": ("post", "Predict", "Predictions", predict),
        }
        for rpc in _EXAMPLE_RPCS:
            if body := _describe_examples(servable, rpc, text):
                operations[f"{place}:{rpc}"] = ("post", rpc.title(), rpc.title(), body)
        if can_decide(servable):
            operations[f"{place}:decide"] = ("post", "Decide", "Decisions", _describe_decide(text))
        for path, (method, summary, schema, body) in operations.items():
            whole = not parameters and summary == "Status"
            operation: Json = {
                "tags": [name],
                "summary": "Status of every version" if whole else f"{summary} of {of}",
                "responses": {"200": _describe_answer(schema), **_ERRORS},
            }
            if body:
                operation["requestBody"] = body
            if parameters:
                operation["parameters"] = parameters
            paths[path] = {method: operation}
    return paths


def _describe_predict(servable: Servable, text: str) -> Json:
    examples: Json = {
        name: {"value": {"signature_name": name, "inputs": inputs}}
        for name, signature in sorted(servable.signatures.items())
        if not _answers_examples(signature)
        and name not in _WITHOUT_EXAMPLE
        and (inputs := _make_inputs(signature, text)) is not None
    }
    default = servable.signatures.get(SERVING_DEFAULT)
    if SERVING_DEFAULT in examples and default is not None and len(default.inputs) == 1:
        ((_, tensor),) = examples[SERVING_DEFAULT]["value"]["inputs"].items()
        if isinstance(tensor, list):
            examples = {"rows": {"value": {"instances": tensor}}, **examples}
    signatures = [name for name in sorted(servable.signatures) if not name.startswith("__")]
    schema = {
        "type": "object",
        "properties": {
            "signature_name": {"type": "string", "enum": signatures},
            "instances": {"type": "array", "description": "Rows: one object or value per row."},
            "inputs": {"description": "Columns: an array of all rows for each input."},
        },
        "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
    }
    return _describe_body(schema, examples)


def _describe_decide(text: str) -> Json:
    texts = {"type": "array", "items": {"type": "string"}}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    schema = {
        "type": "object",
        "required": ["texts"],
        "additionalProperties": False,
        "properties": {
            "texts": texts,
            "pairs": {**texts, "description": "The second text of each row."},
            "top_k": {"type": "integer", "minimum": 1},
            "threshold": {
                "description": "For all labels, by label, in their order, or those that are "
                "calibrated.",
                "oneOf": [
                    share,
                    {"type": "object", "additionalProperties": share},
                    {"type": "array", "items": share},
                    {"const": CALIBRATED},
                ],
            },
            "abstain_below": share,
        },
    }
    return _describe_body(schema, {"texts": {"value": {"texts": [text]}}})


def _describe_examples(servable: Servable, rpc: str, text: str) -> Json | None:
    """Return the body of Classify or Regress; None if no signature answers it."""
    names = [
        name
        for name, signature in sorted(servable.signatures.items())
        if signature.method_name == f"tensorflow/serving/{rpc}"
    ]
    if not names:
        return None
    schema = {
        "type": "object",
        "required": ["examples"],
        "properties": {
            "signature_name": {"type": "string", "enum": names},
            "context": {"type": "object", "description": "Features that all examples share."},
            "examples": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        },
    }
    examples = {}
    if servable.manifest is not None:  # of another model the features are not known
        body = {"signature_name": names[0], "examples": [{"text": text}]}
        examples[names[0]] = {"value": body}
    return _describe_body(schema, examples)


def _describe_body(schema: Json, examples: Json) -> Json:
    content: Json = {"schema": schema}
    if examples:
        content["examples"] = examples
    return {"required": True, "content": {"application/json": content}}


def _describe_answer(schema: str) -> Json:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": "The answer", "content": content}


def _describe_health() -> Json:
    schema = {"$ref": "#/components/schemas/Health"}
    content = {"application/json": {"schema": schema}}
    return {
        "summary": "Whether every model answers",
        "responses": {
            "200": {"description": "Every model has an available version", "content": content},
            "503": {"description": "A model has none", "content": content},
        },
    }


def _answers_examples(signature: SignatureDef) -> bool:
    return signature.method_name.rpartition("/")[2] in _EXAMPLE_RPCS


def _make_inputs(signature: SignatureDef, text: str) -> Json | None:
    """Return a tensor for each input; None if one has a type or rank that has no example."""
    tensors = {}
    for name, info in sorted(signature.inputs.items()):
        value = text if info.dtype == types_pb2.DT_STRING else _NUMBERS.get(info.dtype)
        if value is None or info.tensor_shape.unknown_rank:
            return None
        tensors[name] = _nest(value, info)
    return tensors or None


def _nest(value: Any, info: TensorInfo) -> Any:
    """Put a value into as many arrays as the tensor has dimensions; one of any size has size 1."""
    for dimension in reversed(info.tensor_shape.dim):
        value = [value] * max(dimension.size, 1)
    return value


_SCHEMAS: Json = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
    "Health": {
        "type": "object",
        "required": ["status", "models"],
        "properties": {
            "status": {"enum": ["available", "unavailable"]},
            "models": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
            },
        },
    },
    "ModelStatus": {
        "type": "object",
        "required": ["model_version_status"],
        "properties": {
            "model_version_status": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["version", "state", "status"],
                    "properties": {
                        "version": {"type": "string", "pattern": "^[0-9]+$"},
                        "state": {"enum": ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]},
                        "status": {
                            "type": "object",
                            "properties": {
                                "error_code": {"type": "string"},
                                "error_message": {"type": "string"},
                            },
                        },
                    },
                },
            }
        },
    },
    "Metadata": {
        "type": "object",
        "required": ["model_spec", "metadata"],
        "properties": {"model_spec": {"type": "object"}, "metadata": {"type": "object"}},
    },
    "Predictions": {
        "description": "Rows for `instances`, columns for `inputs`; an output that is alone has no "
        "name.",
        "oneOf": [
            {
                "type": "object",
                "required": ["predictions"],
                "properties": {"predictions": {"type": "array"}},
                "additionalProperties": False,
            },
            {"type": "object", "required": ["outputs"], "additionalProperties": {}},
        ],
    },
    "Decisions": {
        "type": "object",
        "required": ["model", "version", "predictions"],
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "predictions": {
                "type": "array",
                "description": "For each text what `tfclf predict --json` prints.",
                "items": {"type": "object", "required": ["label", "score", "truncated"]},
            },
        },
    },
    "Classify": {
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": {
                "type": "array",
                "description": "For each example its labels with their scores.",
                "items": {
                    "type": "array",
                    "items": {
                        "type": "array",
                        "prefixItems": [{"type": "string"}, {"type": "number"}],
                    },
                },
            }
        },
    },
    "Regress": {
        "type": "object",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": {"type": "number"}}},
    },
}
_ERRORS_BY_STATUS = {
    "400": ("BadRequest", "The request is wrong; the error says how"),
    "404": ("NotFound", "The server has no such model or version now"),
    "413": ("TooLarge", "The body has more bytes than this server takes"),
    "429": ("Exhausted", "The server has no room for the request"),
    "503": ("Unavailable", "Too many requests wait"),
    "504": ("TooLate", "The answer was not ready in time"),
}
_ERRORS: Json = {
    status: {"$ref": f"#/components/responses/{name}"}
    for status, (name, _) in _ERRORS_BY_STATUS.items()
}
_RESPONSES: Json = {
    name: {**_describe_answer("Error"), "description": words}
    for name, words in _ERRORS_BY_STATUS.values()
}
