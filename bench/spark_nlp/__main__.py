"""`python -m bench.spark_nlp`: Spark NLP beside tfclf, the same code on the same Spark master.

    make bench-spark-nlp                       # the environment, the jars, and 3 rounds
    python -m bench.spark_nlp --texts 512 --rounds 5
    python -m bench.spark_nlp --only prepare   # the checkpoint in both forms, about a minute

DistilBERT-base with random weights in float32 classifies AG News texts. All contenders take turns;
start and loading do not count. The figures go to bench/results/spark_nlp.json and README.md.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console

from bench import readme
from bench.material import hash_code, texts
from bench.measure import describe_run, write_result
from bench.peers.process import ContenderProcess
from bench.spark_nlp import table
from bench.spark_nlp.ours import CASE, ENVIRONMENT
from bench.spark_nlp.snippet import MASTER
from samples.checkpoints import ROOT

_RESULT = ROOT / "bench" / "results" / "spark_nlp.json"
_WORK = ROOT / "build" / "spark_nlp"
_PEERS_PYTHON = ROOT / ".venv-spark-nlp" / "bin" / "python"
_SECONDS = 900.0
_LOAD = "texts"

_console = Console()


@dataclass(frozen=True)
class Contender:
    """One way to classify.

    Attributes:
      process: contenders of one name share a process, and with it a session and its models.
      options: of the module's `load`.
    """

    key: str
    name: str
    process: str
    options: Mapping[str, Any]


def _spark_nlp(batch_size: int) -> Contender:
    return Contender(
        f"spark_nlp_{batch_size}",
        f"Spark NLP, batches of {batch_size}",
        "peer",
        {"batch_size": batch_size},
    )


CONTENDERS = (
    _spark_nlp(8),  # its default
    _spark_nlp(32),
    Contender("snippet", "tfclf.spark.sparknlp, the same code", "spark", {"way": "snippet"}),
    Contender("classify", "tfclf.spark.classify", "spark", {"way": "classify"}),
    Contender("process", "tfclf in one process, without Spark", "process", {"way": "process"}),
)


def main() -> None:
    """Run the comparison that the command line chooses."""
    options = _options()
    description, rows = texts(CASE.case.data, options.texts)
    material = {
        "checkpoint": str(options.work / "source" / "checkpoint"),
        "folder": str(options.work),
        "code": hash_code(),
        "calibration": [],
        "streams": 0,
    }
    with _start("prepare", options) as process:
        _ask(process, "prepare", "ours", {}, material)
    if options.only == "prepare":
        return
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(_start(name, options))
            for name in dict.fromkeys(one.process for one in CONTENDERS)
        }
        versions: dict[str, dict[str, str]] = {}
        for name, process in processes.items():
            process.ask("take_loads", patience=_SECONDS, loads={_LOAD: _describe_load(rows)})
            _console.print(f"{name} runs")
        answers = {}
        for one in CONTENDERS:
            process = processes[one.process]
            versions[one.process] = _load(process, one, material)["versions"]
            answer = process.ask("classify", patience=_SECONDS, load=_LOAD)
            answers[one.key] = np.array(answer["logits"])
            _console.print(f"{one.name}: {answer['seconds']:.1f} s")
        seconds: dict[str, list[float]] = {one.key: [] for one in CONTENDERS}
        for _ in range(options.rounds):
            for one in CONTENDERS:
                process = processes[one.process]
                _load(process, one, material)
                spent = process.ask("time", patience=_SECONDS, load=_LOAD)["seconds"]
                seconds[one.key].append(sum(spent))
            _write(description, rows, seconds, answers, versions)
    lines = table.render(_RESULT)
    if options.update_readme:
        readme.write_table(ROOT / "README.md", lines, mark="spark-nlp")
    _console.print(lines, markup=False, highlight=False, soft_wrap=True)


def _start(name: str, options: argparse.Namespace) -> ContenderProcess:
    python = options.peers_python if name == "peer" else Path(sys.executable)
    environment = {} if name == "peer" else ENVIRONMENT
    return ContenderProcess(python, options.work / "logs" / f"{name}.log", environment)


def _load(process: ContenderProcess, one: Contender, material: Mapping[str, Any]) -> dict[str, Any]:
    """Load a contender, or make one ready again that the process has loaded before."""
    return _ask(process, "load", "peer" if one.process == "peer" else "ours", one.options, material)


def _ask(
    process: ContenderProcess,
    do: str,
    module: str,
    options: Mapping[str, Any],
    material: Mapping[str, Any],
) -> dict[str, Any]:
    return process.ask(
        do,
        patience=_SECONDS,
        module=f"bench.spark_nlp.{module}",
        options=dict(options),
        material=dict(material),
    )


def _describe_load(rows: Sequence[str]) -> dict[str, Any]:
    return {"texts": list(rows), "single": False}


def _write(
    description: str,
    rows: Sequence[str],
    seconds: Mapping[str, Sequence[float]],
    answers: Mapping[str, Any],
    versions: Mapping[str, Mapping[str, str]],
) -> None:
    peers = [one.key for one in CONTENDERS if one.process == "peer"]
    # Of each round the faster of Spark NLP's turns: what it can do at its best batch size.
    best = [min(turns) for turns in zip(*(seconds[key] for key in peers), strict=True)]
    write_result(
        _RESULT,
        {
            "format_version": 1,
            **describe_run(),
            "versions": versions,
            "case": CASE.case.name,
            "master": MASTER,
            "texts": description,
            "rounds": len(best),
            "figures": [
                {
                    "contender": one.key,
                    "name": one.name,
                    **table.make_figure(seconds[one.key], best, texts=len(rows)),
                }
                for one in CONTENDERS
            ],
            "agreement": table.compare_answers(answers["spark_nlp_8"], answers["snippet"]),
        },
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("prepare",))
    parser.add_argument("--work", type=Path, default=_WORK, help="for the material and the logs")
    parser.add_argument("--peers-python", type=Path, default=_PEERS_PYTHON)
    parser.add_argument("--update-readme", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
