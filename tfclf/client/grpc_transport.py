"""gRPC transport on tensorflow-serving-api's stubs: blocking, and for asyncio."""

import asyncio
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

import grpc
import tensorflow as tf  # the stubs below import it anyway
from google.protobuf.wrappers_pb2 import Int64Value
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DT_INT32, DT_STRING, DataType
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfclf.client.address import Address
from tfclf.client.forks import GATE
from tfclf.client.messages import (
    Metadata,
    Refused,
    Request,
    Response,
    SignatureInfo,
    TensorInfo,
    VersionChoice,
    VersionStatus,
)
from tfclf.client.options import Options
from tfclf.client.reasons import Reason, read_reason
from tfclf.client.tls import Tls
from tfclf.saved_model import model_list

_FIRST_BACKOFF = 0.2  # seconds
_LONGEST_BACKOFF = 5.0  # seconds
_RETRY_BUFFER = 1 << 28  # bytes
_PROBE_SECONDS = 1.0


class _GrpcTransport:
    reports_version = True

    def __init__(self, channel: Any, address: Address, model: str) -> None:
        self._channel = channel
        self._target = address.target
        self.model = model
        self._predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        self._metadata = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata
        self._status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus

    async def _call(self, method: Any, request: Any, timeout: float | None) -> tuple[Any, Any]:
        raise NotImplementedError

    async def _send(self, method: Any, request: Any, timeout: float | None) -> Any:
        return (await self._exchange(method, request, timeout))[0]

    async def _exchange(self, method: Any, request: Any, timeout: float | None) -> tuple[Any, Any]:
        """Call `method`, and return its response and the trailing metadata.

        Raises: Refused, with the reason read from the server's words.
        """
        try:
            return await self._call(method, request, timeout)
        except grpc.RpcError as error:
            refused = _read_refusal(error)
            # gRPC retries a connection until the deadline, and then says nothing of what failed.
            late = refused.code == "DEADLINE_EXCEEDED"
            if late or (refused.code == "UNAVAILABLE" and "connect" in refused.details):
                reason, words = await self._probe(min(_PROBE_SECONDS, timeout or _PROBE_SECONDS))
                if reason is not Reason.OTHER:
                    refused = Refused("UNAVAILABLE", refused.details, reason=reason)
                elif late and words:
                    refused = Refused("UNAVAILABLE", f"{words}, until the timeout")
            raise refused from None
        except (ValueError, grpc.aio.UsageError) as error:  # a closed channel
            raise Refused("CANCELLED", str(error)) from None

    async def _probe(self, seconds: float) -> tuple[Reason, str]:
        raise NotImplementedError

    async def predict(
        self, request: Request, choice: VersionChoice, timeout: float | None
    ) -> Response:
        """See `Transport.predict`."""
        message = predict_pb2.PredictRequest(
            model_spec=self._spec(choice, request.signature),
            inputs={name: _to_tensor(values) for name, values in request.inputs.items()},
            output_filter=request.outputs,
        )
        answer, beside = await self._exchange(self._predict, message, timeout)
        # make_ndarray reads both forms that a server may choose: *_val fields and tensor_content.
        outputs = {name: tf.make_ndarray(proto).tolist() for name, proto in answer.outputs.items()}
        return Response(answer.model_spec.version.value, outputs, _read_facts(beside))

    async def metadata(self, choice: VersionChoice, timeout: float | None) -> Metadata:
        """See `Transport.metadata`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(choice), metadata_field=["signature_def"]
        )
        response, beside = await self._exchange(self._metadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        infos = {
            name: SignatureInfo(
                definition.method_name,
                _tensor_infos(definition.inputs),
                _tensor_infos(definition.outputs),
            )
            for name, definition in signatures.signature_def.items()
        }
        sent = dict(beside or ())
        return Metadata(
            self.model,
            response.model_spec.version.value,
            infos,
            model_list.decode_names(sent.get(model_list.LABELS)),
            model_list.decode_thresholds(sent.get(model_list.THRESHOLDS)),
            _read_facts(beside),
        )

    async def status(
        self, choice: VersionChoice, timeout: float | None
    ) -> tuple[VersionStatus, ...]:
        """See `Transport.status`."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec(choice))
        response = await self._send(self._status, request, timeout)
        state_name = get_model_status_pb2.ModelVersionStatus.State.Name
        codes = {code.value[0]: code.name for code in grpc.StatusCode}
        return tuple(
            VersionStatus(
                one.version,
                state_name(one.state),
                codes.get(one.status.error_code, "UNKNOWN"),
                one.status.error_message,
            )
            for one in response.model_version_status
        )

    def _spec(self, choice: VersionChoice, signature: str = "") -> model_pb2.ModelSpec:
        version = None if choice.version is None else Int64Value(value=choice.version)
        return model_pb2.ModelSpec(
            name=self.model, signature_name=signature, version=version, version_label=choice.label
        )


class GrpcTransport(_GrpcTransport):
    """Transport that blocks the calling thread; safe to use from several threads."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(_open_channel(grpc, address, options, tls), address, options.model)

    async def _call(self, method: Any, request: Any, timeout: float | None) -> tuple[Any, Any]:
        with GATE.request():
            response, call = method.with_call(request, timeout=timeout)
        return response, call.trailing_metadata()

    async def _probe(self, seconds: float) -> tuple[Reason, str]:
        return _probe(self._target, seconds)

    async def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Close the channel and cancel in-flight requests."""
        self._channel.close()


class AsyncGrpcTransport(_GrpcTransport):
    """Transport for one event loop, the one that runs when the transport is created."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(_open_channel(grpc.aio, address, options, tls), address, options.model)

    async def _call(self, method: Any, request: Any, timeout: float | None) -> tuple[Any, Any]:
        call = method(request, timeout=timeout)
        return await call, await call.trailing_metadata()

    async def _probe(self, seconds: float) -> tuple[Reason, str]:
        return await asyncio.to_thread(_probe, self._target, seconds)

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close the channel and cancel in-flight requests."""
        await self._channel.close()


def _open_channel(api: Any, address: Address, options: Options, tls: Tls | None) -> Any:
    """Open a channel of `api`, which is grpc or grpc.aio."""
    settings: list[tuple[str, Any]] = [
        # The default of 4 MiB guards against unsolicited responses; ours grow with our own rows.
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.service_config", _service_config(options)),
        # gRPC never retries a call larger than this buffer; one long batch fills the default of
        # 256 KiB.
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER),
        # Find a restarted server within the retries, not after gRPC's default of a second or more.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # By default channels to one address share a connection, hence its back-off and its close.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if tls is None:
        return api.insecure_channel(address.target, options=settings)
    if tls.server_name is not None:
        settings.append(("grpc.ssl_target_name_override", tls.server_name))
    key, certificate = tls.own_pem()
    credentials = grpc.ssl_channel_credentials(tls.ca_pem(), key, certificate)
    return api.secure_channel(address.target, credentials, options=settings)


def _read_refusal(error: Any) -> Refused:
    """Read the error of a call: its status, and the models that our server names beside it."""
    code, details = error.code().name, error.details() or ""
    metadata = dict(error.trailing_metadata() or ())
    models = model_list.decode_names(metadata.get(model_list.MODELS))
    return Refused(code, details, reason=read_reason(code, details), models=models)


def _read_facts(beside: Any) -> str:
    """Return what a server says beside a response of the facts that it is read with."""
    return str(dict(beside or ()).get(model_list.FACTS, ""))


def _probe(target: str, seconds: float) -> tuple[Reason, str]:
    """Find out why gRPC has not connected.

    gRPC reports a REST port only if the port is at the last of the addresses that the host name
    has, and only before the deadline.

    Returns: REST_PORT or OTHER; and why the connection failed, "" if it did not.
    """
    try:
        with _connect(target, seconds) as connection:
            connection.settimeout(seconds)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            http = connection.recv(5) == b"HTTP/"
            return (Reason.REST_PORT if http else Reason.OTHER), ""
    except (TimeoutError, ConnectionResetError, BrokenPipeError, ValueError):
        return Reason.OTHER, ""
    except OSError as error:
        return Reason.OTHER, error.strerror or str(error)


def _connect(target: str, seconds: float) -> socket.socket:
    if target.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(seconds)
            connection.connect(target.removeprefix("unix:").removeprefix("//"))
        except BaseException:
            connection.close()
            raise
        return connection
    host, _, port = target.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)


def _service_config(options: Options) -> str:
    """Return a service config with which gRPC itself retries.

    It retries within the deadline, with a jitter of 20 %, and never after a response has begun.
    Only UNAVAILABLE is retried: the server is away, not ready, or its queue is full. Any other
    error would only come again.

    >>> options = Options("m", None, None, 60.0, 4, 32, 1024, 4, xla=False)
    >>> json.loads(_service_config(options))["methodConfig"][0]["retryPolicy"]["maxAttempts"]
    5
    """
    policy = {
        "maxAttempts": options.retries + 1,
        "initialBackoff": f"{_FIRST_BACKOFF}s",
        "maxBackoff": f"{_LONGEST_BACKOFF}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    method = {"name": [{}], **({"retryPolicy": policy} if options.retries else {})}
    return json.dumps({"methodConfig": [method]})


def _to_tensor(values: Sequence[bytes] | Sequence[int]) -> TensorProto:
    if values and isinstance(values[0], int):
        proto = TensorProto(dtype=DT_INT32, int_val=values)
    else:
        proto = TensorProto(dtype=DT_STRING, string_val=values)
    proto.tensor_shape.dim.add(size=len(values))
    return proto


def _tensor_infos(tensors: Any) -> dict[str, TensorInfo]:
    infos = {}
    for name, info in tensors.items():
        shape = info.tensor_shape
        sizes = None if shape.unknown_rank else [dimension.size for dimension in shape.dim]
        infos[name] = TensorInfo.of(DataType.Name(info.dtype), sizes)
    return infos
