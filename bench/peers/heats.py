"""Heats: the contenders of one precision that are in memory together, and their turns.

    prepare each, alone -> load all -> compare logits -> rounds of turns

In a round, each load is run by each contender in turn, so noise hits all alike. Exports of tfclf
run in every heat: ratios are paired with them, round by round.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.contenders import ANCHOR, PRECISIONS, TOLERANCES, Contender
from bench.peers.engine import Array
from bench.peers.loads import Load
from bench.peers.process import ContenderError, ContenderProcess

_PREPARE_SECONDS = 1200.0
_LOAD_SECONDS = 300.0
# A contender that needs so many times our time, and more than a minute, takes one turn with each
# load that fits into that time, and none with the others.
_SLOW = 8.0
_SLOW_SECONDS = 60.0


@dataclass(frozen=True)
class Heat:
    """Contenders that take turns.

    Attributes:
      anchors: our exports, to which the others are compared.
      others: the peers, and our exports in streams.
      counts_anchors: whether the anchors' own figures are taken from this heat.
    """

    precision: str
    anchors: tuple[Contender, ...]
    others: tuple[Contender, ...]
    counts_anchors: bool

    def counts(self, contender: Contender) -> bool:
        """Tell whether a contender's figures are taken from this heat."""
        if contender in self.others:
            return True
        return self.counts_anchors and contender.precision == self.precision


@dataclass(frozen=True)
class Bench:
    """What all heats of a case share.

    Attributes:
      pythons: the interpreters of the project's and the peers' environments.
      material: for the contenders, less the folder of each.
      references: logits of the reference by load.
      work: the folder for conversions and logs.
    """

    pythons: Mapping[bool, Path]  # by `Contender.project`
    material: Mapping[str, Any]
    loads: Sequence[Load]
    references: Mapping[str, Array]
    work: Path
    say: Callable[[str], None]

    def start(self, contender: Contender) -> ContenderProcess:
        """Start the contender's process; it has loaded nothing yet. Raises: ContenderError."""
        return ContenderProcess(
            self.pythons[contender.project],
            self.work / "logs" / f"{contender.key}.log",
            contender.environment,
        )

    def load(self, contender: Contender, process: ContenderProcess, do: str) -> dict[str, Any]:
        """Let the process prepare or load the contender. Raises: ContenderError."""
        return process.ask(
            do,
            patience=_PREPARE_SECONDS if do == "prepare" else _LOAD_SECONDS,
            module=contender.module,
            options=dict(contender.options),
            material={**self.material, "folder": str(self.work / contender.module.split(".")[-1])},
        )


@dataclass
class Turns:
    """What is known of one contender in a heat: its process, and the seconds of its turns."""

    contender: Contender
    process: ContenderProcess
    versions: Mapping[str, str]
    differences: dict[str, float]  # largest logit difference, by load
    is_slow: bool
    # By load, for each round the seconds of each call.
    seconds: dict[str, list[list[float]]]


def plan_heats(contenders: Sequence[Contender], *, together: int) -> list[Heat]:
    """Divide the contenders into heats of at most `together` processes each."""
    heats = []
    for precision in PRECISIONS:
        chosen = [one for one in contenders if one.precision == precision]
        equal = [one for one in chosen if one.ours and not one.streams]
        anchors = (ANCHOR, *(one for one in equal if one is not ANCHOR))
        others = [one for one in chosen if one not in equal]
        size = max(1, together - len(anchors))
        parts = [others[start : start + size] for start in range(0, len(others), size)]
        if not chosen:
            continue
        for number, part in enumerate(parts or [[]]):
            heats.append(Heat(precision, anchors, tuple(part), counts_anchors=number == 0))
    return heats


def run_heat(
    heat: Heat,
    bench: Bench,
    *,
    rounds: int,
    until: float,
    refused: Callable[[Contender, str], None],
    after_round: Callable[[Sequence[Turns]], None],
) -> None:
    """Run rounds until `until` (of time.monotonic), but at least `rounds`.

    Args:
      refused: is told of a contender that cannot run, or is wrong, and why.
      after_round: is given all turns so far, after each round.
    """
    contenders = [
        one
        for one in (*heat.anchors, *heat.others)
        if any(takes(one, load) for load in bench.loads)
    ]
    ready = [one for one in contenders if _try(one, bench, refused, prepare)]
    with ExitStack() as stack:
        turns: list[Turns] = []
        limit = math.inf  # the anchor, which is first, sets it

        def enter(contender: Contender, bench: Bench) -> None:
            nonlocal limit
            seconds, loaded = _load(contender, bench, stack, limit=limit)
            turns.append(loaded)
            if contender is heat.anchors[0]:
                limit = max(_SLOW_SECONDS, _SLOW * seconds)

        for one in ready:
            _try(one, bench, refused, enter)
        number = 0
        while turns and (number < rounds or time.monotonic() < until):
            _run_round(turns, bench, number, refused)
            after_round(turns)
            number += 1


def difference(logits: Array, reference: Array) -> float:
    """Return the largest difference, after each text's mean is taken from its logits.

    Probabilities give logits up to a number per text; the mean takes that away.

    >>> difference(np.array([[1.0, 3.0]]), np.array([[0.0, 2.5]]))
    0.25
    """
    if logits.shape != reference.shape:
        return float("inf")
    gap = _centre(logits) - _centre(reference)
    return float(np.abs(gap).max()) if np.isfinite(gap).all() else float("inf")


def _centre(logits: Array) -> Array:
    centred: Array = logits - logits.mean(axis=1, keepdims=True)
    return centred


def takes(contender: Contender, load: Load) -> bool:
    """Tell whether the contender is measured with the load: one text leaves streams idle."""
    return not (contender.streams and load.single)


def prepare(contender: Contender, bench: Bench) -> None:
    """Convert the checkpoint for a contender, in a process of its own, if that is to be done.

    Raises: ContenderError.
    """
    key = f"{contender.key}-{bench.material['code']}" if contender.ours else contender.key
    done = bench.work / "prepared" / key
    if contender.converts and not done.is_file():
        with bench.start(contender) as process:
            bench.load(contender, process, "prepare")
        done.parent.mkdir(exist_ok=True)
        done.touch()


def _load(
    contender: Contender, bench: Bench, stack: ExitStack, *, limit: float
) -> tuple[float, Turns]:
    """Load the contender and compare its logits; return its seconds, too.

    Args:
      limit: of the seconds. When they are over, the loads that are left are left out.
    Raises: ContenderError.
    """
    process = stack.enter_context(bench.start(contender))
    answer = bench.load(contender, process, "load")
    loads = [load for load in bench.loads if takes(contender, load)]
    process.ask(
        "take_loads",
        patience=_LOAD_SECONDS,
        loads={load.key: {"texts": load.texts, "single": load.single} for load in loads},
    )
    differences, seconds = {}, 0.0
    for load in loads:
        if seconds > limit:
            break
        found = process.ask("classify", patience=_PREPARE_SECONDS, load=load.key)
        seconds += found["seconds"]
        differences[load.key] = difference(
            np.array(found["logits"], np.float64), bench.references[load.key]
        )
    worst, allowed = max(differences.values()), TOLERANCES[contender.precision]
    bench.say(f"{contender.name}: largest logit difference {worst:.2g}, {seconds:.1f} s")
    if worst > allowed:
        process.close()
        raise ContenderError(
            f"its logits differ by {worst:.2g} from the reference's; {allowed:g} is allowed"
        )
    return seconds, Turns(
        contender,
        process,
        answer["versions"],
        differences,
        is_slow=seconds > limit,
        seconds={key: [] for key in differences},
    )


def _run_round(
    turns: list[Turns],
    bench: Bench,
    number: int,
    refused: Callable[[Contender, str], None],
) -> None:
    for load in bench.loads:
        for one in list(turns):
            if load.key not in one.seconds or (number and one.is_slow):
                continue
            try:
                answer = one.process.ask("time", patience=_PREPARE_SECONDS, load=load.key)
            except ContenderError as error:
                refused(one.contender, str(error))
                turns.remove(one)
            else:
                one.seconds[load.key].append(answer["seconds"])


def _try(
    contender: Contender,
    bench: Bench,
    refused: Callable[[Contender, str], None],
    step: Callable[[Contender, Bench], None],
) -> bool:
    """Tell whether the contender took the step; if not, tell `refused`."""
    try:
        step(contender, bench)
    except ContenderError as error:
        refused(contender, str(error))
        return False
    return True
