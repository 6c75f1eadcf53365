"""The figures of a case on one machine, as a JSON file that is written after each round."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import compare_turns, now
from bench.peers.contenders import TOLERANCES, Contender
from bench.peers.engine import cpu_flags
from bench.peers.heats import Heat, Turns
from bench.peers.loads import Load
from tfclf.files import write_json

_FEATURES = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
)


class Results:
    """Figures by load and contender. Figures of an earlier run on this machine stay until replaced.

    Figures of another machine are in another file.
    """

    def __init__(self, folder: Path, case: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
        self.machine = {**machine, "features": features()}
        self.path = folder / f"peers_{case['key']}_{machine_key(self.machine)}.json"
        self._case = dict(case)
        self._contenders: dict[str, dict[str, Any]] = {}
        self._figures: dict[tuple[str, str], dict[str, Any]] = {}
        if self.path.is_file():
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["machine"] == self.machine and content["case"] == self._case:
                self._contenders = {one["key"]: one for one in content["contenders"]}
                self._figures = {(one["load"], one["contender"]): one for one in content["figures"]}

    def refuse(self, contender: Contender, reason: str) -> None:
        """Record why a contender has no figures."""
        self._figures = {
            key: value for key, value in self._figures.items() if key[1] != contender.key
        }
        self._contenders[contender.key] = {**_describe(contender), "refused": reason}
        self.save()

    def put(self, heat: Heat, turns: Sequence[Turns], loads: Sequence[Load]) -> None:
        """Record the turns of a heat so far."""
        made = now()
        anchors = [one for one in turns if one.contender in heat.anchors]
        for one in turns:
            contender = one.contender
            if not heat.counts(contender):
                continue
            self._contenders[contender.key] = {
                **_describe(contender),
                "versions": dict(one.versions),
                "largest_logit_difference": float(f"{max(one.differences.values()):.2g}"),
                "is_slow": one.is_slow,
                "made": made,
            }
            for load in loads:
                if not one.seconds.get(load.key):
                    continue
                self._figures[load.key, contender.key] = {
                    "load": load.key,
                    "contender": contender.key,
                    **make_figure(one.seconds[load.key], load),
                    "tfclf_times_as_fast": {
                        anchor.contender.key: _compare(one.seconds[load.key], pair)
                        for anchor in anchors
                        if (pair := anchor.seconds.get(load.key))
                    },
                }
        self.save()

    def save(self) -> None:
        content = {
            "format_version": 1,
            "made": now(),
            "machine": self.machine,
            "case": self._case,
            "contenders": list(self._contenders.values()),
            "figures": list(self._figures.values()),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, content)


def make_figure(seconds: Sequence[Sequence[float]], load: Load) -> dict[str, Any]:
    """Return the figures of one contender with one load.

    Args:
      seconds: for each round, those of each call.
    """
    rate = len(load.texts) / statistics.median(map(sum, seconds))
    figure: dict[str, Any] = {"rounds": len(seconds), "texts_per_second": float(f"{rate:.4g}")}
    if load.single:
        calls = [1000 * call for one_round in seconds for call in one_round]
        half, most = np.percentile(calls, [50, 99])
        figure |= {
            "calls": len(calls),
            "p50_ms": float(f"{half:.4g}"),
            "p99_ms": float(f"{most:.4g}"),
        }
    return figure


def features() -> list[str]:
    """Return the instruction sets of this processor that matter to the contenders."""
    flags = cpu_flags()
    return [name for name in _FEATURES if name in flags]


def machine_key(machine: Mapping[str, Any]) -> str:
    """Return a name for a kind of machine, for file names.

    >>> machine_key({"processor": "AMD EPYC", "cores": 2, "features": ["avx2", "avx512_bf16"]})
    'amd-epyc-2-cores-avx512_bf16'
    """
    processor = "-".join(machine["processor"].lower().replace("(r)", "").split())
    best = machine["features"][-1:] or ["baseline"]
    return "-".join([processor, str(machine["cores"]), "cores", *best])


def _compare(theirs: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> dict[str, Any]:
    ratio, spread = compare_turns([sum(one) for one in theirs], [sum(one) for one in ours])
    return {"ratio": ratio, "range": list(spread)}


def _describe(contender: Contender) -> dict[str, Any]:
    return {
        "key": contender.key,
        "name": contender.name,
        "precision": contender.precision,
        "ours": contender.ours,
        "tolerance": TOLERANCES[contender.precision],
    }
