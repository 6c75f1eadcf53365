"""`python -m bench.peers`: tfclf beside the other engines for a CPU.

    make bench-peers                                   # everything, 3 rounds or more
    python -m bench.peers --only prepare               # conversions, many minutes, done once
    python -m bench.peers --minutes 40                 # rounds until then; 3 at least
    python -m bench.peers --cases distilbert --precisions float32 --contenders openvino
    python -m bench.peers --quick                      # tiny sizes: does every contender work?

The figures are written after each round: a stop loses nothing that was measured. What contenders
convert stays in build/peers for the next run.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console

from bench import readme
from bench.material import available, describe_checkpoint, hash_code, texts
from bench.measure import machine
from bench.peers import table
from bench.peers.contenders import CONTENDERS, PRECISIONS, REFERENCE, Contender
from bench.peers.engine import Array, count_cores
from bench.peers.heats import Bench, Turns, plan_heats, prepare, run_heat
from bench.peers.loads import PEER_CASES, PeerCase, make_loads
from bench.peers.process import ContenderError, ContenderProcess
from bench.peers.results import Results
from samples.checkpoints import ROOT
from tfclf._transformers import load_pretrained

_RESULTS = ROOT / "bench" / "results"
_WORK = ROOT / "build" / "peers"
_PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
# Rows from which loads and calibration texts are taken; calibration takes the last ones.
_ROWS = 2000
_SECONDS = 1200.0

_console = Console()


def main() -> None:
    """Measure what the command line chooses."""
    options = _options()
    names = options.contenders or [""]
    chosen = [
        one
        for one in CONTENDERS
        if one.precision in options.precisions
        # Ratios need our exports.
        and (any(name in one.key for name in names) or (one.ours and not one.streams))
    ]
    if options.only == "table":
        _show(options, options.results)
        return
    cases = [_shrink(case) if options.quick else case for case in PEER_CASES]
    cases = [case for case in cases if case.key in options.cases]
    results_folder = options.work / "quick" / "results" if options.quick else options.results
    deadline = time.monotonic() + 60 * options.minutes
    for number, case in enumerate(cases):
        if not available(case.case):
            _say(f"{case.case.name} is left out: TFCLF_SHARED has no vocabulary for it")
            continue
        until = time.monotonic() + (deadline - time.monotonic()) / (len(cases) - number)
        _measure(case, chosen, options, results_folder, until)
    if options.only != "prepare":
        _show(options, results_folder)


def _show(options: argparse.Namespace, results_folder: Path) -> None:
    if options.update_readme and not options.quick:
        readme.write_table(ROOT / "README.md", table.render(results_folder), mark="peers")
    _say(table.render(results_folder))


def _measure(
    case: PeerCase,
    chosen: Sequence[Contender],
    options: argparse.Namespace,
    results_folder: Path,
    until: float,
) -> None:
    """Run a case; its heats share the time until `until`."""
    pythons = {True: Path(sys.executable), False: options.peers_python}
    work = options.work / ("quick" if options.quick else "full") / case.key
    description, rows = texts(case.case.data, _ROWS)
    checkpoint = _make_checkpoint(case, work, pythons[False])
    loads = make_loads(case, rows, load_pretrained("AutoTokenizer", checkpoint))
    bench = Bench(
        pythons=pythons,
        material={
            "checkpoint": str(checkpoint),
            "code": hash_code(),
            "calibration": rows[-case.calibration :],
            "streams": count_cores(),
        },
        loads=loads,
        references={},
        work=work,
        say=_say,
    )
    if options.only == "prepare":
        for contender in chosen:
            try:
                prepare(contender, bench)
            except ContenderError as error:
                _say(f"{contender.name}: {error}")
        return
    bench = replace(
        bench,
        references=_compute_references(bench, checkpoint),
        loads=[load for load in loads if not options.loads or load.key in options.loads],
    )
    results = Results(
        results_folder,
        {
            "key": case.key,
            "name": case.case.name,
            "texts": description.replace(f"{_ROWS:,} ", ""),
            "loads": [
                {"key": load.key, "name": load.name, "texts": len(load.texts)} for load in loads
            ],
        },
        machine(),
    )
    heats = plan_heats(chosen, together=case.together)
    for number, heat in enumerate(heats):
        names = ", ".join(one.key for one in (*heat.anchors, *heat.others))
        _say(f"{case.case.name}, heat {number + 1} of {len(heats)}: {names}")

        def refuse(contender: Contender, reason: str) -> None:
            _say(f"{contender.name}: {reason}; {work / 'logs' / contender.key}.log")
            results.refuse(contender, reason)

        def after_round(turns: Sequence[Turns], heat: Any = heat) -> None:
            results.put(heat, turns, loads)
            _say(f"{time.strftime('%H:%M:%S')} a round is done")

        run_heat(
            heat,
            bench,
            rounds=options.rounds,
            until=time.monotonic() + (until - time.monotonic()) / (len(heats) - number),
            refused=refuse,
            after_round=after_round,
        )


def _make_checkpoint(case: PeerCase, work: Path, python: Path) -> Path:
    """Return a checkpoint with random weights; it is made once."""
    folder = work / "checkpoint"
    if (folder / "model.safetensors").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    describe_checkpoint(replace(case.case, sizes={**case.case.sizes, **case.sizes}), folder)
    with ContenderProcess(python, work / "logs" / "checkpoint.log", {}) as process:
        process.ask("write_weights", patience=_SECONDS, folder=str(folder))
    return folder


def _compute_references(bench: Bench, checkpoint: Path) -> dict[str, Array]:
    """Return the reference's logits by load; they are computed once."""
    content = json.dumps([[load.key, load.texts] for load in bench.loads]).encode()
    weights = str((checkpoint / "model.safetensors").stat().st_mtime_ns).encode()
    path = bench.work / f"reference-{hashlib.sha256(content + weights).hexdigest()[:16]}.npz"
    if not path.is_file():
        with bench.start(REFERENCE) as process:
            bench.load(REFERENCE, process, "load")
            process.ask(
                "take_loads",
                patience=_SECONDS,
                loads={
                    load.key: {"texts": load.texts, "single": load.single} for load in bench.loads
                },
            )
            answers = {
                load.key: process.ask("classify", patience=_SECONDS, load=load.key)["logits"]
                for load in bench.loads
            }
        named: Any = {key: np.array(logits) for key, logits in answers.items()}
        np.savez(path, **named)
    with np.load(path) as file:
        references = {load.key: np.asarray(file[load.key]) for load in bench.loads}
    spread = np.std(references["file_order"], axis=0).max()
    size = np.abs(references["file_order"]).max()
    _say(f"reference: logits up to {size:.2g}, spread over texts {spread:.2g}")
    return references


def _shrink(case: PeerCase) -> PeerCase:
    """Return the case with two layers and a few texts, for --quick."""
    layers = "n_layers" if case.case.model_type == "distilbert" else "num_hidden_layers"
    return replace(
        case,
        bulk=40,
        single=4,
        lengths=dict.fromkeys(case.lengths, 2),
        calibration=16,
        sizes={**case.sizes, layers: 2},
    )


def _say(line: str) -> None:
    _console.print(line, markup=False, highlight=False, soft_wrap=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = [case.key for case in PEER_CASES]
    parser.add_argument("--cases", nargs="+", choices=keys, default=keys)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument(
        "--contenders",
        nargs="+",
        metavar="NAME",
        help="only contenders whose key has one of these in it, such as openvino or tfclf",
    )
    loads = ["single", *(f"single_{length}" for length in PEER_CASES[0].lengths)]
    parser.add_argument("--loads", nargs="+", choices=[*loads, "file_order", "sorted"])
    parser.add_argument(
        "--only",
        choices=("prepare", "table"),
        help="convert the checkpoints for a later run, or write the table of earlier results",
    )
    parser.add_argument("--rounds", type=int, default=3, help="the least number of rounds")
    parser.add_argument(
        "--minutes",
        type=float,
        default=0.0,
        help="go on with rounds for so long; conversions count, and --rounds comes first",
    )
    parser.add_argument("--quick", action="store_true", help="two layers, few texts, no results")
    parser.add_argument("--peers-python", type=Path, default=_PEERS_PYTHON)
    parser.add_argument("--work", type=Path, default=_WORK)
    parser.add_argument("--results", type=Path, default=_RESULTS)
    parser.add_argument("--update-readme", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except ContenderError as error:
        raise SystemExit(f"the bench cannot run: {error}") from error
