"""ONNX Runtime, with the fusions of its transformers optimizer; int8 is dynamic quantization.

Source: onnxruntime.ai, "Transformers optimizer" and "Quantize ONNX models".
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.peers.engine import (
    Array,
    Classify,
    Material,
    Tokenizer,
    batches,
    cpu_flags,
    read_config,
    written_once,
)
from bench.peers.engines.torch_model import read_model

_FILE = "model.onnx"


def prepare(material: Material, *, precision: str) -> None:
    with written_once(material.folder / "float32") as folder:
        if folder:
            _write_float32(material.checkpoint, folder)
    if precision == "int8":
        with written_once(material.folder / "int8") as folder:
            if folder:
                _write_int8(material.folder / "float32" / _FILE, folder / _FILE)


def load(material: Material, *, precision: str) -> Classify:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        material.folder / precision / _FILE, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer(material.checkpoint)

    def classify(texts: Sequence[str]) -> Array:
        return np.concatenate(
            [session.run(None, tokenizer.pad(batch))[0] for batch in batches(texts)]
        )

    return classify


def _write_float32(checkpoint: Path, folder: Path) -> None:
    import torch
    from onnxruntime.transformers import optimizer

    model = read_model(checkpoint)
    ids = torch.ones((2, 8), dtype=torch.int64)
    plain = folder / "plain.onnx"
    names = ["input_ids", "attention_mask"]
    # The older exporter: of the newer one's graph, the optimizer does not find the attention.
    torch.onnx.export(
        model,
        (ids, ids),
        str(plain),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        opset_version=17,
        dynamo=False,
    )
    sizes = read_config(checkpoint)
    fused = optimizer.optimize_model(
        str(plain),
        model_type="bert",
        num_heads=model.config.num_attention_heads,
        hidden_size=sizes.get("dim") or sizes["hidden_size"],
    )
    fused.save_model_to_file(str(folder / _FILE))
    plain.unlink()


def _write_int8(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Without VNNI, products of unsigned activations and signed weights overflow 16 bits.
    has_vnni = bool({"avx512_vnni", "avx_vnni"} & cpu_flags())
    quantize_dynamic(
        str(source),
        str(target),
        weight_type=QuantType.QInt8 if has_vnni else QuantType.QUInt8,
        # ONNX does not know the types behind the optimizer's own ops.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
