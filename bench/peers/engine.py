"""What a contender's module in `bench.peers.engines` defines, and what these modules share.

    def prepare(material: Material, **options) -> None    # convert the checkpoint, if need be
    def load(material: Material, **options) -> Classify   # read what `prepare` wrote

The options are the contender's (`bench.peers.contenders`). Both may raise `Unavailable`.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Texts to float32[texts, labels]: logits, or logits minus any number per text.
Classify = Callable[[Sequence[str]], Array]

BATCH = 32
MAX_LENGTH = 512


class Unavailable(Exception):  # noqa: N818
    """The contender cannot run on this machine or in this environment; the message says why."""


@dataclass(frozen=True)
class Material:
    """What a contender is made from.

    Attributes:
      checkpoint: a Hugging Face checkpoint with the weights of torch.
      folder: where the contender keeps what it has converted.
      code: a hash of tfclf's source: an export is made again when it changes.
      calibration: texts for post-training quantization; none of them is measured.
      streams: requests that run at the same time in contenders with streams.
    """

    checkpoint: Path
    folder: Path
    code: str
    calibration: tuple[str, ...]
    streams: int


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield batches of 32 in the order of the texts.

    >>> [len(batch) for batch in batches(["text"] * 70)]
    [32, 32, 6]
    """
    for start in range(0, len(texts), BATCH):
        yield list(texts[start : start + BATCH])


@contextmanager
def written_once(path: Path) -> Iterator[Path | None]:
    """Yield a new folder that becomes `path` at the end, or None if `path` is there already."""
    if path.exists():
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
        made = Path(unfinished) / "made"
        made.mkdir()
        yield made
        made.rename(path)


class Tokenizer:
    """The checkpoint's fast tokenizer, as users of Hugging Face call it."""

    def __init__(self, checkpoint: Path) -> None:
        from transformers import AutoTokenizer

        self.inner = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)

    def pad(self, texts: Sequence[str], form: str = "np") -> dict[str, Any]:
        """Return input_ids and attention_mask, int64[texts, longest text]."""
        encoded = self.inner(
            list(texts),
            padding=True,
            truncation=True,
            max_length=MAX_LENGTH,
            return_tensors=form,
            return_token_type_ids=False,
        )
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, without padding."""
        ids: list[list[int]] = self.inner(list(texts), truncation=True, max_length=MAX_LENGTH)[
            "input_ids"
        ]
        return ids


def read_config(checkpoint: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return content


def cpu_flags() -> frozenset[str]:
    """Return the processor's features, as Linux names them."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    flags = next((line for line in lines if line.startswith("flags")), ":")
    return frozenset(flags.split(":", 1)[1].split())


def has_bfloat16() -> bool:
    """Tell whether the processor has instructions for bfloat16."""
    return not cpu_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def hide_telemetry() -> None:
    """Keep OpenVINO and NNCF from reporting their use over the network."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # its import fails


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
