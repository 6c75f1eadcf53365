"""POST .../models/NAME:decide, our own form of REST: texts in, predictions out.

TF Serving's forms stay as they are. This one takes texts instead of tensors, and `top_k`,
`threshold` and `abstain_below` as `Classifier.predict` does; an export's calibrated thresholds hold
here without the client knowing them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from grpc import StatusCode
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tfclf.decision import Decide, Rule
from tfclf.errors import InputError
from tfclf.inputs import check_texts, encode_texts, pair_rows
from tfclf.prediction import make_predictions
from tfclf.saved_model.signature_names import DETAIL, DETAIL_PAIRS, PAIRS, SERVING_DEFAULT
from tfclf.server.context import RequestContext
from tfclf.server.runtime.servable import Servable
from tfclf.server.service import Service
from tfclf.server.status import RequestError, invalid_argument

_RULE = ("top_k", "threshold", "abstain_below")
_KEYS = ("texts", "pairs", *_RULE)
_EXPECTED = 'Expected an object such as {"texts": ["a text"], "top_k": 2}.'
_MAX_SWAPS = 3  # of a version, between its choice and its answer


@dataclass(frozen=True)
class Question:
    """The body of a request.

    Attributes:
      columns: the texts, and the pairs if there are any.
      rule: None if the body has no option of it.
    """

    columns: tuple[list[bytes], ...]
    rule: Rule | None

    @classmethod
    def read(cls, body: bytes) -> "Question":
        """Read a body. Raises: RequestError."""
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise invalid_argument(f"The body is no JSON. {_EXPECTED}") from None
        if not isinstance(content, dict) or "texts" not in content:
            raise invalid_argument(f"The body has no 'texts'. {_EXPECTED}")
        for key in content:
            if key not in _KEYS:
                raise invalid_argument(
                    f"The body has the key {key!r}; expected only {', '.join(_KEYS)}."
                )
        texts, pairs = content["texts"], content.get("pairs")
        try:
            check_texts(texts)
            columns = [list(encode_texts(texts))]
            if pairs is not None:
                list(pair_rows(texts, pairs))
                columns.append(list(encode_texts(pairs, name="pairs")))
            return cls(tuple(columns), Rule.of(*(content.get(name) for name in _RULE)))
        except InputError as error:
            raise invalid_argument(str(error)) from None


def can_decide(servable: Servable) -> bool:
    """Tell whether a model answers: an export of tfclf that classifies texts."""
    return servable.manifest is not None and bool(
        {DETAIL, SERVING_DEFAULT} & {*servable.signatures}
    )


def decide(
    service: Service, spec: ModelSpec, question: Question, call: RequestContext
) -> dict[str, Any]:
    """Return the JSON object of the answer. Raises: RequestError."""
    for attempt in range(_MAX_SWAPS):
        servable = service.registry.find(spec)
        rule = _bind(servable, question.rule)
        request = _make_request(servable, question)
        try:
            outputs = {} if request is None else _predict(service, request, call)
        except RequestError as error:
            # The latest version may have given way to the next one meanwhile.
            if error.code is not StatusCode.NOT_FOUND or attempt == _MAX_SWAPS - 1:
                raise
            continue
        predictions = make_predictions(outputs, servable.labels, rule) if outputs else ()
        return {
            "model": servable.name,
            "version": servable.version,
            "predictions": [prediction.to_dict() for prediction in predictions],
        }
    raise AssertionError("the last attempt returns or raises")


def _bind(servable: Servable, rule: Rule | None) -> Decide | None:
    manifest = servable.manifest
    if manifest is None or not can_decide(servable):
        raise RequestError(
            StatusCode.FAILED_PRECONDITION,
            f"{servable.name} is no export of tfclf that classifies texts, so its labels are not "
            f"known. Use :predict.",
        )
    try:
        return manifest.bind(rule, name=servable.name)
    except InputError as error:
        raise invalid_argument(str(error)) from None


def _make_request(servable: Servable, question: Question) -> PredictRequest | None:
    """Return a request for exactly this version; None if there are no texts."""
    names = (DETAIL_PAIRS, PAIRS) if len(question.columns) == 2 else (DETAIL, SERVING_DEFAULT)
    signature = next((name for name in names if name in servable.signatures), None)
    if signature is None:
        raise invalid_argument(f"{servable.name} takes no pairs: leave 'pairs' out.")
    if not question.columns[0]:
        return None
    request = PredictRequest()
    request.model_spec.name = servable.name
    request.model_spec.version.value = servable.version
    request.model_spec.signature_name = signature
    for name, column in zip(("text", "text_pair"), question.columns, strict=False):
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.array(column, object), tf.string))
    return request


def _predict(service: Service, request: PredictRequest, call: RequestContext) -> Mapping[str, Any]:
    response = service.predict(request, call, protocol="rest")
    return {name: tf.make_ndarray(proto).tolist() for name, proto in response.outputs.items()}
