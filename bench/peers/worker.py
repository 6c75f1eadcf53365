"""A contender's process: it reads requests as JSON lines, and answers each with one line.

    python -m bench.peers.worker

Requests are named by "do": write_weights, prepare, load, take_loads, classify, time.
Libraries print to standard output, too. So answers go to a copy of it, and what they print goes to
standard error.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.peers.engine import Classify, Material, Unavailable

_PACKAGES = (
    "ctranslate2",
    "nncf",
    "onnxruntime",
    "openvino",
    "pyspark",
    "spark-nlp",
    "tensorflow",
    "tokenizers",
    "torch",
    "transformers",
)


class Worker:
    """The state between requests: a loaded engine, and the texts of the loads."""

    def __init__(self) -> None:
        self._classify: Classify | None = None
        self._loads: dict[str, dict[str, Any]] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do one request; if the contender cannot, the answer says why."""
        actions: dict[str, Callable[..., dict[str, Any]]] = {
            "write_weights": _write_weights,
            "prepare": _prepare,
            "load": self.load,
            "take_loads": self.take_loads,
            "classify": self.classify,
            "time": self.time,
        }
        arguments = dict(request)
        try:
            return actions[arguments.pop("do")](**arguments)
        except Unavailable as error:
            return {"unavailable": str(error)}
        except ImportError as error:
            return {"unavailable": f"{error}, in {sys.prefix}"}

    def load(
        self, module: str, options: dict[str, Any], material: dict[str, Any]
    ) -> dict[str, Any]:
        self._classify = importlib.import_module(module).load(_material(material), **options)
        return {"versions": _versions()}

    def take_loads(self, loads: dict[str, dict[str, Any]]) -> dict[str, Any]:
        self._loads = loads
        return {}

    def classify(self, load: str) -> dict[str, Any]:
        """Return the logits of a load's texts, in calls of the same sizes as when it is timed."""
        assert self._classify is not None
        texts, single = self._loads[load]["texts"], self._loads[load]["single"]
        calls = [[text] for text in texts] if single else [texts]
        started = time.perf_counter()
        logits = [row for call in calls for row in self._classify(call).tolist()]
        return {"logits": logits, "seconds": time.perf_counter() - started}

    def time(self, load: str) -> dict[str, Any]:
        """Return the seconds of each call, after one call that is not counted."""
        assert self._classify is not None
        texts, single = self._loads[load]["texts"], self._loads[load]["single"]
        calls = [[text] for text in texts] if single else [texts]
        self._classify(texts[:1])  # the process was stopped: fetch its memory and threads again
        seconds = []
        for call in calls:
            started = time.perf_counter()
            self._classify(call)
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds}


def _prepare(module: str, options: dict[str, Any], material: dict[str, Any]) -> dict[str, Any]:
    importlib.import_module(module).prepare(_material(material), **options)
    return {}


def _write_weights(folder: str) -> dict[str, Any]:
    from bench.peers.engines.torch_checkpoint import write_weights

    write_weights(Path(folder))
    return {}


def _material(fields: Mapping[str, Any]) -> Material:
    return Material(
        checkpoint=Path(fields["checkpoint"]),
        folder=Path(fields["folder"]),
        code=fields["code"],
        calibration=tuple(fields["calibration"]),
        streams=fields["streams"],
    )


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _end_with_parent() -> None:
    """Have Linux end this process when the bench ends: stopped, it would not notice."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main() -> None:
    """Answer requests until standard input ends."""
    _end_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
