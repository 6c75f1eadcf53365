"""Timing in turns: all contenders run in one process, so noise hits each of them alike."""

import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Figure:
    """Texts per second, and the ratio to the first contender run by run: medians and ranges."""

    contender: str
    texts_per_second: float
    ratio: float
    ratio_range: tuple[float, float]


def compare(
    contenders: Mapping[str, Callable[[], object]], *, texts: int, runs: int
) -> list[Figure]:
    """Let the contenders process all texts in turn, `runs` times after one uncounted run.

    The first contender is the peer that the ratios refer to.
    """
    return make_figures(take_turns(contenders, runs=runs), texts=texts)


def take_turns(
    contenders: Mapping[str, Callable[[], object]], *, runs: int, warm_up: bool = True
) -> dict[str, list[float]]:
    """Return the seconds of each contender's turns, after one uncounted turn if `warm_up`."""
    for work in contenders.values() if warm_up else ():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def make_figures(seconds: Mapping[str, Sequence[float]], *, texts: int) -> list[Figure]:
    """Return figures of the turns; the first contender is the peer."""
    peer = next(iter(seconds.values()))
    return [
        Figure(name, round(texts / statistics.median(spent), 1), *compare_turns(peer, spent))
        for name, spent in seconds.items()
    ]


def compare_turns(
    peer: Sequence[float], ours: Sequence[float]
) -> tuple[float, tuple[float, float]]:
    """Return how much faster we are than the peer, turn by turn: the median and the range.

    >>> compare_turns([2.0, 4.0, 3.0], [1.0, 1.0])
    (3.0, (2.0, 4.0))

    Args:
      peer, ours: the seconds of each turn; turns of a like number are pairs.
    """
    ratios = [theirs / own for theirs, own in zip(peer, ours, strict=False)]
    return round(statistics.median(ratios), 2), (round(min(ratios), 2), round(max(ratios), 2))


def write_result(path: Path, content: Mapping[str, Any]) -> None:
    """Write figures as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def describe_run() -> dict[str, Any]:
    """Return when and on what a result was made."""
    return {"made": now(), "machine": machine()}


def now() -> str:
    """Return the time in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that the figures were measured with."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "bfloat16": sorted({"amx_bf16", "avx512_bf16"} & set(_flags())),
        "python": platform.python_version(),
        **{
            name: version(name)
            for name in ("tensorflow", "tensorflow-text", "transformers", "tokenizers")
        },
    }


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _flags() -> list[str]:
    return _cpuinfo("flags").split()


def as_json(figures: list[Figure]) -> list[dict[str, Any]]:
    return [asdict(figure) for figure in figures]
