"""A REST request -> HTTP status and body: TF Serving's paths, codes and messages, over a Service.

Source: tensorflow/serving, model_servers/http_rest_api_handler.cc, http_rest_api_util.cc,
  http_server.cc.
"""

import json
import logging
import re
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from grpc import StatusCode
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tfclf.saved_model.signature_names import SERVING_DEFAULT
from tfclf.server.context import RequestContext
from tfclf.server.request_record import RequestRecord
from tfclf.server.service import Service
from tfclf.server.status import RequestError, invalid_argument, truncate
from tfclf.server.transport.rest import write as rest_write
from tfclf.server.transport.rest.decide import Question, decide
from tfclf.server.transport.rest.examples import read_examples
from tfclf.server.transport.rest.json_text import make_readable
from tfclf.server.transport.rest.read import read_predict

_log = logging.getLogger(__name__)

_VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_POST = re.compile(rf"(?i)/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)")
_DECIDE = re.compile(rf"/v1/models/([^/:]+){_VERSION}:decide")  # our own
_GET = re.compile(rf"(?i)/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?")
_INT64_MAX = (1 << 63) - 1
# Bytes. TF Serving does not truncate over REST, but a request could cause megabytes of error.
_LONGEST_ERROR = 1 << 16
_MOST_UNZIPPED_BYTES = 100 << 20  # TF Serving, gzip_zlib.h
_HTTP_STATUS = {
    StatusCode.OK: 200,
    StatusCode.CANCELLED: 499,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.UNAUTHENTICATED: 401,
}  # and 500 for the others


class HttpError(Exception):
    """A request that fails before TF Serving's rules apply, with its HTTP status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RestHandler:
    """The REST API without HTTP's bytes; safe to use from many threads at once.

    Args:
      own_form: whether to answer :decide too, which TF Serving does not have.
    """

    def __init__(self, service: Service, *, max_body_bytes: int, own_form: bool = False) -> None:
        self._service = service
        self._max_body_bytes = max_body_bytes
        self._own_form = own_form

    def handle(
        self, method: str, path: str, body: bytes, encoding: bytes, call: RequestContext
    ) -> tuple[int, bytes]:
        """Return the HTTP status and body for a request.

        Args:
          path: the path as sent, with percent signs and query.
          encoding: the Content-Encoding.
        """
        try:
            return 200, self._dispatch(method, path, body, encoding, call)
        except RequestError as error:
            return _HTTP_STATUS.get(error.code, 500), rest_write.write_error(
                truncate(error.message, longest=_LONGEST_ERROR)
            )
        except HttpError as error:
            return error.status, rest_write.write_error(error.message)
        except MemoryError:
            return 429, rest_write.write_error("Not enough memory to answer the request")
        except Exception as error:
            # A bug of ours. Its message may quote the client's texts, so log only where it
            # happened.
            place = "".join(traceback.format_tb(error.__traceback__))
            _log.error("REST request failed: %s at\n%s", type(error).__name__, place)
            return 500, rest_write.write_error(
                "The request failed in the server; its log says where"
            )

    def _dispatch(
        self, method: str, path: str, body: bytes, encoding: bytes, call: RequestContext
    ) -> bytes:
        malformed = invalid_argument(f"Malformed request: {method} {path}")
        if method == "POST" and (match := _POST.fullmatch(path)):
            spec = _make_model_spec(*match.group(1, 2, 3))
            rpcs = {
                "predict": self._predict,
                "classify": self._classify,
                "regress": self._regress,
            }
            # The pattern matches any case, TF Serving's handler only lower case.
            rpc = rpcs.get(match[4])
            if rpc is None:
                raise malformed
            return rpc(spec, partial(self._unzip, body, encoding), call)
        if self._own_form and method == "POST" and (match := _DECIDE.fullmatch(path)):
            spec = _make_model_spec(*match.group(1, 2, 3))
            return self._decide(spec, partial(self._unzip, body, encoding), call)
        if method == "GET" and (match := _GET.fullmatch(path)):
            if not match[1]:
                raise invalid_argument("Missing model name in request.")
            spec = _make_model_spec(*match.group(1, 2, 3))
            if match[4] == "metadata":
                return self._get_metadata(spec, call)
            return self._get_status(spec, call)
        raise malformed

    def _unzip(self, body: bytes, encoding: bytes) -> bytes:
        if b"gzip" not in encoding or not body:
            return body
        most = min(self._max_body_bytes, _MOST_UNZIPPED_BYTES)
        unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unzipped = unzip.decompress(body, most + 1)
        except zlib.error:
            raise invalid_argument("Content-Encoding is gzip, but the body is not") from None
        if len(unzipped) > most:
            raise HttpError(
                413, f"The body has more than {most:,} bytes when unzipped. Send less at once."
            )
        if not unzip.eof or unzip.unused_data:
            raise invalid_argument(
                "Content-Encoding is gzip, but the body is cut short, or goes on after its end"
            )
        return unzipped

    def _predict(self, spec: ModelSpec, body: Callable[[], bytes], call: RequestContext) -> bytes:
        request, row = self._read(
            "Predict", spec, call, lambda: read_predict(body(), spec, self._find_inputs)
        )
        response = self._service.predict(request, call, protocol="rest")
        return rest_write.write_predict(response.outputs, row=row)

    def _classify(self, spec: ModelSpec, body: Callable[[], bytes], call: RequestContext) -> bytes:
        request = ClassificationRequest(model_spec=spec)
        self._read("Classify", request.model_spec, call, lambda: read_examples(body(), request))
        response = self._service.classify(request, call, protocol="rest")
        return rest_write.write_classifications(response.result)

    def _regress(self, spec: ModelSpec, body: Callable[[], bytes], call: RequestContext) -> bytes:
        request = RegressionRequest(model_spec=spec)
        self._read("Regress", request.model_spec, call, lambda: read_examples(body(), request))
        response = self._service.regress(request, call, protocol="rest")
        return rest_write.write_regressions(response.result)

    def _decide(self, spec: ModelSpec, body: Callable[[], bytes], call: RequestContext) -> bytes:
        question = self._read("Predict", spec, call, lambda: Question.read(body()))
        answer = decide(self._service, spec, question, call)
        return json.dumps(answer, ensure_ascii=False).encode()

    def _get_metadata(self, spec: ModelSpec, call: RequestContext) -> bytes:
        request = GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        return rest_write.write_metadata(
            self._service.get_model_metadata(request, call, protocol="rest")
        )

    def _get_status(self, spec: ModelSpec, call: RequestContext) -> bytes:
        request = GetModelStatusRequest(model_spec=spec)
        response = self._service.get_model_status(request, call, protocol="rest")
        return rest_write.write_status(response)

    def _read(
        self, method: str, spec: ModelSpec, call: RequestContext, read: Callable[[], Any]
    ) -> Any:
        """Return what `read` returns; observe a request that cannot be read, since it ends here."""
        started = time.perf_counter()
        try:
            return read()
        except RequestError as error:
            seconds = time.perf_counter() - started
            self._service.observe(
                RequestRecord(
                    method,
                    "rest",
                    spec.name,
                    spec.signature_name,
                    error.code,
                    seconds,
                    request_id=call.request_id,
                    traceparent=call.traceparent,
                )
            )
            raise

    def _find_inputs(self, spec: ModelSpec) -> Mapping[str, TensorInfo]:
        name = spec.signature_name or SERVING_DEFAULT
        with self._service.registry.lease(spec) as servable:
            if name not in servable.signatures:
                raise invalid_argument(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            inputs: Mapping[str, TensorInfo] = servable.signatures[name].inputs
            return inputs


def _make_model_spec(name: str, version: str | None, label: str | None) -> ModelSpec:
    spec = ModelSpec(name=_unquote(name))
    if version is not None:
        if len(version) > 4_000 or int(version) > _INT64_MAX:
            raise invalid_argument(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    if label is not None:
        spec.version_label = _unquote(label)
    return spec


def _unquote(text: str) -> str:
    """Decode the percent signs of a path.

    >>> _unquote("a%2Fb%20%ff")
    'a/b �'
    """
    return make_readable(unquote_to_bytes(text))
