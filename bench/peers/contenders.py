"""The contenders. The first is the anchor: ratios in all tables refer to ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.peers.engine import count_cores
from tfclf.saved_model.threads import INTER_OP, INTRA_OP

_ENGINES = "bench.peers.engines"
PRECISIONS = ("float32", "bfloat16", "int8")
# Largest difference of logits from the reference that counts as rounding. The random checkpoints
# give logits of about 1; without the attention mask, those of a batch differ by 0.4 to 0.7. Random
# weights are harder on int8 than trained ones. Each int8 form has the tokens and masks of a float32
# form, which is held to 1e-4; this only finds broken ones.
TOLERANCES: Mapping[str, float] = {"float32": 1e-4, "bfloat16": 0.15, "int8": 1.0}


@dataclass(frozen=True)
class Contender:
    """An engine with one way to use it.

    Attributes:
      key: its name in the results.
      module: its engine, with the functions that `bench.peers.engine` describes.
      options: of the module's `prepare` and `load`.
      converts: whether its module has something to prepare from the checkpoint.
      streams: whether it runs several requests at a time; then it takes bulk loads only.
      project: whether it runs in the project's environment rather than the peers'.
      ours: whether it is an export of tfclf.
      environment: variables that users of the engine set for speed.
    """

    key: str
    name: str
    precision: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)
    converts: bool = True
    streams: bool = False
    project: bool = False
    ours: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


# As `tfclf predict` sets them by itself.
OUR_ENVIRONMENT = {
    "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    **({INTRA_OP: "1", INTER_OP: "2"} if count_cores() == 2 else {}),
}


def _ours(precision: str, *, streams: bool = False) -> Contender:
    return Contender(
        key=f"tfclf_{precision}" + ("_streams" if streams else ""),
        name=f"tfclf, {precision}" + (", streams" if streams else ""),
        precision=precision,
        module=f"{_ENGINES}.export",
        options={"precision": precision, "streams": streams},
        streams=streams,
        project=True,
        ours=True,
        environment=OUR_ENVIRONMENT,
    )


def _openvino(precision: str, *, streams: bool = False) -> Contender:
    return Contender(
        key=f"openvino_{precision}" + ("_streams" if streams else ""),
        name=f"OpenVINO, {precision}" + (", streams of one text" if streams else ""),
        precision=precision,
        module=f"{_ENGINES}.openvino_model",
        options={"precision": precision, "streams": streams},
        streams=streams,
    )


CONTENDERS = (
    *(_ours(precision, streams=streams) for precision in PRECISIONS for streams in (False, True)),
    Contender(
        "tf_class",
        "TF class, float32",
        "float32",
        f"{_ENGINES}.tf_class",
        converts=False,
        project=True,
    ),
    Contender(
        "pipeline",
        "Hugging Face pipeline, float32",
        "float32",
        f"{_ENGINES}.pipeline",
        converts=False,
    ),
    *(
        Contender(
            f"torch_{precision}",
            f"torch, {precision}",
            precision,
            f"{_ENGINES}.torch_model",
            {"precision": precision},
            converts=False,
        )
        for precision in ("float32", "bfloat16")
    ),
    *(
        Contender(
            f"onnxruntime_{precision}",
            f"ONNX Runtime, {precision}",
            precision,
            f"{_ENGINES}.onnx_model",
            {"precision": precision},
        )
        for precision in ("float32", "int8")
    ),
    *(
        _openvino(precision, streams=streams)
        for precision in PRECISIONS
        for streams in (False, True)
    ),
    *(
        Contender(
            f"ctranslate2_{precision}",
            f"CTranslate2, {precision}",
            precision,
            f"{_ENGINES}.ctranslate_model",
            {"precision": precision},
        )
        for precision in ("float32", "int8")
    ),
)
ANCHOR = CONTENDERS[0]
REFERENCE = next(one for one in CONTENDERS if one.key == "tf_class")
