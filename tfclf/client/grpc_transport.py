"""Requests over gRPC, on tensorflow-serving-api's stubs: a blocking form and one for asyncio."""

import asyncio
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

import grpc
import tensorflow as tf  # those stubs import it anyway
from google.protobuf.wrappers_pb2 import Int64Value
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DT_STRING, DataType
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfclf.client.address import Address
from tfclf.client.messages import (
    HTTP,
    Answer,
    Ask,
    Choice,
    Metadata,
    Refused,
    SignatureInfo,
    TensorInfo,
    VersionStatus,
)
from tfclf.client.options import Options
from tfclf.client.tls import Tls

_FIRST_BACKOFF = 0.2
_LONGEST_BACKOFF = 5.0
_RETRY_BUFFER = 1 << 28
_PROBE = 1.0


class _GrpcTransport:
    tells_version = True

    def __init__(self, channel: Any, address: Address, model: str) -> None:
        self._channel = channel
        self._target = address.target
        self._model = model
        self._predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        self._metadata = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata
        self._status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus

    async def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        raise NotImplementedError

    async def _answer(self, method: Any, request: Any, timeout: float | None) -> Any:
        try:
            return await self._call(method, request, timeout)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
            if code == "UNAVAILABLE" and "connect" in details and await self._speaks_http():
                details = HTTP
            raise Refused(code, details) from None
        except (ValueError, grpc.aio.UsageError) as error:  # a closed channel
            raise Refused("CANCELLED", str(error)) from None

    async def _speaks_http(self) -> bool:
        raise NotImplementedError

    async def predict(self, ask: Ask, choice: Choice, timeout: float | None) -> Answer:
        """`Transport.predict`."""
        request = predict_pb2.PredictRequest(
            model_spec=self._spec(choice, ask.signature),
            inputs={name: _strings(texts) for name, texts in ask.inputs.items()},
            output_filter=ask.outputs,
        )
        response = await self._answer(self._predict, request, timeout)
        # make_ndarray reads both forms that a server may choose: *_val fields and tensor_content.
        outputs = {
            name: tf.make_ndarray(proto).tolist() for name, proto in response.outputs.items()
        }
        return Answer(response.model_spec.version.value, outputs)

    async def metadata(self, choice: Choice, timeout: float | None) -> Metadata:
        """`Transport.metadata`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(choice), metadata_field=["signature_def"]
        )
        response = await self._answer(self._metadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        described = {
            name: SignatureInfo(
                definition.method_name, _infos(definition.inputs), _infos(definition.outputs)
            )
            for name, definition in signatures.signature_def.items()
        }
        return Metadata(self._model, response.model_spec.version.value, described)

    async def status(self, choice: Choice, timeout: float | None) -> tuple[VersionStatus, ...]:
        """`Transport.status`."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec(choice))
        response = await self._answer(self._status, request, timeout)
        state = get_model_status_pb2.ModelVersionStatus.State.Name
        codes = {code.value[0]: code.name for code in grpc.StatusCode}
        return tuple(
            VersionStatus(
                one.version,
                state(one.state),
                codes.get(one.status.error_code, "UNKNOWN"),
                one.status.error_message,
            )
            for one in response.model_version_status
        )

    def _spec(self, choice: Choice, signature: str = "") -> model_pb2.ModelSpec:
        version = None if choice.version is None else Int64Value(value=choice.version)
        return model_pb2.ModelSpec(
            name=self._model, signature_name=signature, version=version, version_label=choice.label
        )


class GrpcTransport(_GrpcTransport):
    """Blocks the thread that calls; safe to use from several."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(_channel(grpc, address, options, tls), address, options.model)

    async def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        return method(request, timeout=timeout)

    async def _speaks_http(self) -> bool:
        return _speaks_http(self._target)

    async def sleep(self, seconds: float) -> None:
        """Blocks too."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Cancels what is under way."""
        self._channel.close()


class AsyncGrpcTransport(_GrpcTransport):
    """For one event loop: the one that runs when it is made."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(_channel(grpc.aio, address, options, tls), address, options.model)

    async def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        return await method(request, timeout=timeout)

    async def _speaks_http(self) -> bool:
        return await asyncio.to_thread(_speaks_http, self._target)

    async def sleep(self, seconds: float) -> None:
        """Lets others run."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Cancels what is under way."""
        await self._channel.close()


def _channel(api: Any, address: Address, options: Options, tls: Tls | None) -> Any:
    """A channel of `api`, which is grpc or grpc.aio."""
    settings: list[tuple[str, Any]] = [
        # The default of 4 MiB is for answers that nobody has asked for; ours grow with the rows that are sent.
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.service_config", _service_config(options)),
        # A call that is larger than this buffer is not retried at all, and 256 KiB, the default, is one long batch.
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER),
        # A server that has just come back is found within the retries, not after a second and more.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # Channels of one address share their connections otherwise, and with that their back-off and their close.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if tls is None:
        return api.insecure_channel(address.target, options=settings)
    if tls.server_name is not None:
        settings.append(("grpc.ssl_target_name_override", tls.server_name))
    key, certificate = tls.own_pem()
    credentials = grpc.ssl_channel_credentials(tls.ca_pem(), key, certificate)
    return api.secure_channel(address.target, credentials, options=settings)


def _speaks_http(target: str) -> bool:
    """Whether there is a REST port, of which gRPC says so only where it is the last of a name's addresses."""
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except (OSError, ValueError):
        return False


def _service_config(options: Options) -> str:
    """Retries by gRPC itself: within the deadline, with jitter of a fifth, and never once an answer has begun.

    Only UNAVAILABLE: the server is not there, not ready, or has its queue full. Everything else would fail again.
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


def _strings(texts: Sequence[bytes]) -> TensorProto:
    proto = TensorProto(dtype=DT_STRING, string_val=texts)
    proto.tensor_shape.dim.add(size=len(texts))
    return proto


def _infos(tensors: Any) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo.of(
            DataType.Name(info.dtype),
            None
            if info.tensor_shape.unknown_rank
            else [dimension.size for dimension in info.tensor_shape.dim],
        )
        for name, info in tensors.items()
    }
