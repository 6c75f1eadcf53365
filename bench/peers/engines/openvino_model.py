"""OpenVINO: in batches, or as asynchronous streams of one text; int8 is NNCF's post-training form.

Source: docs.openvino.ai, "Optimizing for throughput"; NNCF, "Post-training quantization".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.engine import (
    Array,
    Classify,
    Material,
    Tokenizer,
    Unavailable,
    batches,
    count_cores,
    has_bfloat16,
    hide_telemetry,
    written_once,
)
from bench.peers.engines.torch_model import read_model

_FILE = "model.xml"


def prepare(material: Material, *, precision: str, streams: bool) -> None:  # noqa: ARG001
    hide_telemetry()
    with written_once(material.folder / "float32") as folder:
        if folder:
            _write_float32(material.checkpoint, folder / _FILE)
    if precision == "int8":
        with written_once(material.folder / "int8") as folder:
            if folder:
                _write_int8(material, folder / _FILE)


def load(material: Material, *, precision: str, streams: bool) -> Classify:
    hide_telemetry()
    import openvino

    if precision == "bfloat16" and not has_bfloat16():
        raise Unavailable(
            "OpenVINO computes in float32 where the processor has neither AVX512-BF16 nor AMX"
        )
    stored = "int8" if precision == "int8" else "float32"
    compiled = openvino.Core().compile_model(
        material.folder / stored / _FILE,
        "CPU",
        {
            # Its own default for int8, where the processor has bfloat16.
            "INFERENCE_PRECISION_HINT": "bf16"
            if precision != "float32" and has_bfloat16()
            else "f32",
            "NUM_STREAMS": material.streams if streams else 1,
            "INFERENCE_NUM_THREADS": count_cores(),
        },
    )
    tokenizer = Tokenizer(material.checkpoint)
    if streams:
        return _run_streams(compiled, tokenizer, material.streams)
    request = compiled.create_infer_request()

    def classify(texts: Sequence[str]) -> Array:
        # A copy of each answer: the next batch overwrites the request's memory.
        return np.concatenate(
            [np.array(request.infer(tokenizer.pad(batch))[0]) for batch in batches(texts)]
        )

    return classify


def _run_streams(compiled: Any, tokenizer: Tokenizer, streams: int) -> Classify:
    import openvino

    queue = openvino.AsyncInferQueue(compiled, streams)
    answers: dict[int, Array] = {}

    def keep(request: Any, place: int) -> None:
        answers[place] = np.array(request.get_output_tensor(0).data)

    queue.set_callback(keep)

    def classify(texts: Sequence[str]) -> Array:
        answers.clear()
        place = 0
        for batch in batches(texts):
            for ids in tokenizer.ids(batch):
                row = np.array([ids], np.int64)
                queue.start_async(
                    {"input_ids": row, "attention_mask": np.ones_like(row)}, userdata=place
                )
                place += 1
        queue.wait_all()
        return np.concatenate([answers[index] for index in range(place)])

    return classify


def _write_float32(checkpoint: Path, path: Path) -> None:
    import openvino
    import torch

    ids = torch.ones((2, 8), dtype=torch.int64)
    model = openvino.convert_model(
        read_model(checkpoint), example_input={"input_ids": ids, "attention_mask": ids}
    )
    openvino.save_model(model, path, compress_to_fp16=False)


def _write_int8(material: Material, path: Path) -> None:
    import nncf
    import openvino

    tokenizer = Tokenizer(material.checkpoint)
    texts = list(material.calibration)
    quantized = nncf.quantize(
        openvino.Core().read_model(material.folder / "float32" / _FILE),
        nncf.Dataset([tokenizer.pad([text]) for text in texts]),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(texts),
    )
    openvino.save_model(quantized, path, compress_to_fp16=False)
