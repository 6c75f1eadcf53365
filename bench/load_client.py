"""Clients that send one text per request, each over its own connection, in a separate process.

It reads JSON from standard input (address, model, texts, clients) and writes JSON (seconds,
latencies in seconds).
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest

_METHOD = "/tensorflow.serving.PredictionService/Predict"
_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


def _request(model: str, text: str) -> bytes:
    request = PredictRequest()
    request.model_spec.name = model
    tensor = request.inputs["text"]
    tensor.dtype = 7  # DT_STRING
    tensor.string_val.append(text.encode())
    tensor.tensor_shape.dim.add(size=1)
    serialized: bytes = request.SerializeToString()
    return serialized


async def _client(address: str, requests: Iterator[bytes], latencies: list[float]) -> None:
    async with grpc.aio.insecure_channel(address, options=_OWN_CONNECTION) as channel:
        await channel.channel_ready()
        call = channel.unary_unary(_METHOD)
        for request in requests:
            started = time.perf_counter()
            await call(request)
            latencies.append(time.perf_counter() - started)


async def _load(task: dict[str, Any]) -> dict[str, Any]:
    requests = iter([_request(task["model"], text) for text in task["texts"]])
    latencies: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(
        *(_client(task["address"], requests, latencies) for _ in range(task["clients"]))
    )
    return {"seconds": time.perf_counter() - started, "latencies": latencies}


if __name__ == "__main__":
    json.dump(asyncio.run(_load(json.load(sys.stdin))), sys.stdout)
