"""Servers that stand before a real one and forward requests, until their script says otherwise.

`RestFront` speaks TF Serving's JSON in place of the real REST, and asks the real server over
gRPC.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2
from tensorflow_serving.apis.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    PredictionServiceStub,
    add_PredictionServiceServicer_to_server,
)

from tests.server.fakes import wait_until

HANG = "hang"
_OPTIONS = [("grpc.max_receive_message_length", -1)]
_HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
}
_HTTP |= {"UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504}


@dataclass
class Seen:
    """A Predict request that arrived."""

    request: predict_pb2.PredictRequest
    seconds_left: float | None


@dataclass
class Behind:
    """The real server, and what happens to requests on their way to it.

    Attributes:
      address: the real server's, over gRPC; may change while requests come.
      script: for the next Predict requests: a code's name, HANG, or '' for an answer. After its end
        all requests are answered.
      seen: the Predict requests that arrived, in order.
      states: version states to report in place of the real server's.
      company: Predict requests wait until this many have been in flight together.
      most_at_once: the largest number of Predict requests in flight together.
    """

    address: str
    script: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    company: int = 1
    most_at_once: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _joined: threading.Condition = field(init=False)
    _now: int = 0
    _channels: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._joined = threading.Condition(self._lock)

    def stub(self) -> PredictionServiceStub:
        with self._lock:
            if self.address not in self._channels:
                self._channels[self.address] = grpc.insecure_channel(self.address, options=_OPTIONS)
            return PredictionServiceStub(self._channels[self.address])

    def predict(
        self, request: predict_pb2.PredictRequest, seconds_left: float | None = None
    ) -> Any:
        with self._lock:
            self.seen.append(Seen(request, seconds_left))
            fault = self.script.pop(0) if self.script else ""
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self._joined.notify_all()
        try:
            if self.company > 1:
                with self._joined:
                    assert self._joined.wait_for(lambda: self.most_at_once >= self.company, 60), (
                        "nobody joined it"
                    )
            if fault == HANG:
                self.released.wait(600)
                fault = "CANCELLED"
            if fault:
                raise FaultError(fault, f"the script says {fault}")
            return self.stub().Predict(request)
        finally:
            with self._lock:
                self._now -= 1

    def close(self) -> None:
        self.released.set()
        for channel in self._channels.values():
            channel.close()


class FaultError(Exception):
    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


class _Predictions(PredictionServiceServicer):
    def __init__(self, behind: Behind) -> None:
        self.behind = behind

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        return _forward(context, lambda: self.behind.predict(request, context.time_remaining()))

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return _forward(context, lambda: self.behind.stub().GetModelMetadata(request))


class _Models(ModelServiceServicer):
    def __init__(self, behind: Behind) -> None:
        self.behind = behind

    def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state in self.behind.states.items():
            response.model_version_status.add(
                version=version, state=get_model_status_pb2.ModelVersionStatus.State.Value(state)
            )
        return response


def _forward(context: Any, ask: Any) -> Any:
    try:
        return ask()
    except FaultError as fault:
        context.abort(grpc.StatusCode[fault.code], fault.details)
    except grpc.RpcError as error:
        context.abort(error.code(), error.details())


class GrpcFront:
    """A gRPC front: plain, or with the given credentials."""

    def __init__(self, behind: Behind, credentials: Any = None) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(16), options=[*_OPTIONS, ("grpc.so_reuseport", 0)]
        )
        add_PredictionServiceServicer_to_server(_Predictions(behind), self._server)
        add_ModelServiceServicer_to_server(_Models(behind), self._server)
        if credentials is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()
        self.address = f"127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.stop(None).wait()


class RestFront:
    """A REST front: plain, or with uvicorn's TLS options."""

    def __init__(self, behind: Behind, **tls: Any) -> None:
        self._behind = behind
        routes = [
            Route("/v1/models/{model}:predict", self._predict, methods=["POST"]),
            Route("/v1/models/{model}/versions/{version}:predict", self._predict, methods=["POST"]),
            Route("/v1/models/{model}/labels/{label}:predict", self._predict, methods=["POST"]),
            *(
                Route(f"/v1/models/{{model}}{choice}{tail}", endpoint)
                for choice in ("", "/versions/{version}", "/labels/{label}")
                for tail, endpoint in (("/metadata", self._metadata), ("", self._status))
            ),
        ]
        self._app = Starlette(routes=routes)
        config = uvicorn.Config(
            self._app,
            port=0,
            log_level="critical",
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=0,
            timeout_keep_alive=600,
            **tls,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http{'s' if tls else ''}://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)

    async def _predict(self, request: Request) -> Response:
        body = await request.json()
        return await asyncio.to_thread(self._answer, lambda: self._write_outputs(request, body))

    async def _metadata(self, request: Request) -> Response:
        return await asyncio.to_thread(self._answer, lambda: self._write_metadata(request))

    async def _status(self, request: Request) -> Response:
        return await asyncio.to_thread(self._answer, lambda: self._write_status(request))

    def _answer(self, ask: Any) -> Response:
        try:
            return JSONResponse(ask())
        except FaultError as fault:
            return JSONResponse({"error": fault.details}, _HTTP.get(fault.code, 500))
        except grpc.RpcError as error:
            return JSONResponse({"error": error.details()}, _HTTP.get(error.code().name, 500))

    def _fetch_metadata(self, request: Request) -> Any:
        message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _choose(message.model_spec, request.path_params)
        return self._behind.stub().GetModelMetadata(message)

    def _write_metadata(self, request: Request) -> Any:
        from google.protobuf.json_format import MessageToDict

        metadata = self._fetch_metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        metadata.metadata["signature_def"].Unpack(signatures)
        as_json = MessageToDict(
            signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        spec = {
            "name": metadata.model_spec.name,
            "signature_name": "",
            "version": str(metadata.model_spec.version.value),
        }
        return {"model_spec": spec, "metadata": {"signature_def": as_json}}

    def _write_status(self, request: Request) -> Any:
        states = self._behind.states or {
            self._fetch_metadata(request).model_spec.version.value: "AVAILABLE"
        }
        status = {"error_code": "OK", "error_message": ""}
        rows = [
            {"version": str(number), "state": state, "status": status}
            for number, state in states.items()
        ]
        return {"model_version_status": rows}

    def _write_outputs(self, request: Request, body: Mapping[str, Any]) -> Any:
        message = predict_pb2.PredictRequest()
        _choose(message.model_spec, request.path_params)
        message.model_spec.signature_name = body["signature_name"]
        for name, values in body["inputs"].items():
            texts = [_bytes(value) for value in values]
            message.inputs[name].CopyFrom(
                tf.make_tensor_proto(texts, dtype=tf.string, shape=[len(texts)])
            )
        response = self._behind.predict(message)
        return {
            "outputs": {
                name: _to_lists(tf.make_ndarray(proto)) for name, proto in response.outputs.items()
            }
        }


def _choose(spec: Any, path: Mapping[str, str]) -> None:
    spec.name = path["model"]
    if "version" in path:
        spec.version.value = int(path["version"])
    if "label" in path:
        spec.version_label = path["label"]


def _bytes(value: str | Mapping[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["b64"])


def _to_lists(values: np.ndarray) -> Any:
    """Convert to lists; write float32 like TF Serving, with just enough digits to identify it."""
    if values.dtype == np.float32:
        shortest = [float(str(value)) for value in values.ravel()]
        return np.array(shortest).reshape(values.shape).tolist()
    if values.dtype == object:
        return [
            _to_lists(value) if isinstance(value, np.ndarray) else value.decode()
            for value in values
        ]
    return values.tolist()


def server_tls(certificate: Any, authority: Any = None) -> tuple[Any, dict[str, Any]]:
    """Return gRPC's credentials and uvicorn's options for a trustme certificate.

    With `authority`, clients must have a certificate of that authority.
    """
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    pair = [(certificate.private_key_pem.bytes(), chain)]
    if authority is None:
        return grpc.ssl_server_credentials(pair), {}
    credentials = grpc.ssl_server_credentials(
        pair, authority.cert_pem.bytes(), require_client_auth=True
    )
    return credentials, {"ssl_cert_reqs": ssl.CERT_REQUIRED}
