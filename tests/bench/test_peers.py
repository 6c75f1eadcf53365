"""The harness of `python -m bench.peers`; it needs no peer's package."""

import doctest
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import measure, readme
from bench.material import texts as rows_of
from bench.peers import engine, heats, results, table
from bench.peers.contenders import ANCHOR, CONTENDERS, PRECISIONS, TOLERANCES, Contender
from bench.peers.heats import Bench, Heat, Turns, difference, plan_heats, run_heat
from bench.peers.loads import PEER_CASES, Load, make_loads, make_texts
from bench.peers.process import ContenderError, ContenderProcess
from bench.peers.results import Results
from samples.checkpoints import DEMO_FILES
from tests.bench.fake_engine import logits_of
from tfclf._transformers import load_pretrained

PYTHON = Path(sys.executable)
LOADS = (
    Load("single", "one text a call", ("a", "four"), single=True),
    Load("file_order", "file order", ("a", "four", "longer"), single=False),
)
_, AG_NEWS = rows_of("AG News", 300)
MACHINE = {"processor": "Some CPU", "cores": 2, "python": "3.11"}
CASE = {
    "key": "tiny",
    "name": "Tiny",
    "texts": "made-up rows",
    "loads": [{"key": load.key, "name": load.name, "texts": len(load.texts)} for load in LOADS],
}


@functools.cache
def tokenizer() -> Any:
    return load_pretrained("AutoTokenizer", DEMO_FILES)


def fake(key: str, precision: str = "float32", **changes: Any) -> Contender:
    return replace(
        Contender(key, f"fake {key}", precision, "tests.bench.fake_engine", project=True),
        **changes,
    )


OURS = replace(fake(ANCHOR.key), ours=True)


def make_bench(folder: Path) -> Bench:
    return Bench(
        pythons={True: PYTHON, False: folder / "no-environment" / "python"},
        material={"checkpoint": str(folder), "code": "1", "calibration": [], "streams": 2},
        loads=LOADS,
        references={load.key: logits_of(load.texts) for load in LOADS},
        work=folder,
        say=lambda line: None,
    )


def run(
    contenders: Sequence[Contender], folder: Path, *, loads: Sequence[Load] = LOADS
) -> tuple[list[Turns], dict[str, str]]:
    reasons: dict[str, str] = {}
    last: list[Turns] = []

    def keep(turns: Sequence[Turns]) -> None:
        last[:] = turns

    run_heat(
        Heat("float32", (OURS,), tuple(contenders), counts_anchors=True),
        replace(make_bench(folder), loads=loads),
        rounds=2,
        until=0.0,
        refused=lambda contender, reason: reasons.update({contender.key: reason}),
        after_round=keep,
    )
    return last, reasons


@pytest.mark.parametrize("module", [engine, heats, measure, results])
def test_examples_in_docstrings_run(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("together", [1, 3, 5, 10])
def test_each_contender_is_counted_in_one_heat(together: int) -> None:
    planned = plan_heats(CONTENDERS, together=together)
    counted = [one for heat in planned for one in (*heat.anchors, *heat.others) if heat.counts(one)]
    assert sorted(one.key for one in counted) == sorted(one.key for one in CONTENDERS)


@pytest.mark.parametrize("together", [3, 5, 10])
def test_no_heat_holds_more_processes_than_memory_allows(together: int) -> None:
    planned = plan_heats(CONTENDERS, together=together)
    assert max(len(heat.anchors) + len(heat.others) for heat in planned) <= together


def test_every_heat_begins_with_our_float32() -> None:
    assert all(heat.anchors[0] is ANCHOR for heat in plan_heats(CONTENDERS, together=5))


def test_every_precision_has_a_tolerance() -> None:
    assert {one.precision for one in CONTENDERS} == set(PRECISIONS) == set(TOLERANCES)


def test_keys_of_contenders_differ() -> None:
    assert len({one.key for one in CONTENDERS}) == len(CONTENDERS)


def test_log_probabilities_do_not_differ_from_logits() -> None:
    logits = logits_of(["a", "four"])
    shifted = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert difference(shifted, logits) < 1e-12


def test_an_answer_that_is_no_number_differs_without_bound() -> None:
    logits = logits_of(["a"])
    assert difference(logits * np.nan, logits) == float("inf")


def test_an_answer_of_another_shape_differs_without_bound() -> None:
    assert difference(logits_of(["a"]), logits_of(["a", "b"])) == float("inf")


@settings(max_examples=20)
@given(length=st.integers(3, 200), start=st.integers(0, 50))
def test_texts_have_exactly_the_tokens_asked_for(length: int, start: int) -> None:
    made = make_texts(AG_NEWS[start:], tokenizer(), length=length, count=2)
    assert [len(tokenizer()(text)["input_ids"]) for text in made] == [length, length]


def test_too_few_rows_for_a_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 rows give 0 texts of 100 tokens"):
        make_texts(["one row", "another"], tokenizer(), length=100, count=1)


def test_sorted_load_has_the_texts_of_the_load_in_file_order() -> None:
    loads = {load.key: load for load in make_loads(PEER_CASES[0], AG_NEWS, tokenizer())}
    assert sorted(loads["sorted"].texts) == sorted(loads["file_order"].texts)


def test_every_contender_takes_its_turn_in_every_round(tmp_path: Path) -> None:
    turns, reasons = run([fake("peer")], tmp_path)
    calls = {
        one.contender.key: {
            load: [len(each) for each in seconds] for load, seconds in one.seconds.items()
        }
        for one in turns
    }
    of_each = {"single": [2, 2], "file_order": [1, 1]}
    assert (calls, reasons) == ({OURS.key: of_each, "peer": of_each}, {})


def test_streams_take_bulk_loads_only(tmp_path: Path) -> None:
    turns, _ = run([fake("streams", streams=True)], tmp_path)
    assert list(turns[1].seconds) == ["file_order"]


def test_streams_do_not_start_without_a_bulk_load(tmp_path: Path) -> None:
    turns, reasons = run([fake("streams", streams=True)], tmp_path, loads=LOADS[:1])
    assert ([one.contender for one in turns], reasons) == ([OURS], {})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": {"error": 0.01}}, "its logits differ by 0.0067 from the reference's"),
        ({"options": {"fault": "unavailable"}}, "the processor lacks an instruction"),
        ({"options": {"fault": "missing"}}, "No module named 'a_package_that_nobody_has'"),
        ({"options": {"fault": "killed"}}, "its process was ended by SIGILL"),
        ({"options": {"fault": "raises"}}, "ValueError: no such model"),
        ({"project": False}, "does not exist; `make bench-peers` makes it"),
    ],
)
def test_a_contender_that_cannot_run_is_refused_with_its_reason(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    turns, reasons = run([fake("peer", **changes)], tmp_path)
    assert reason in reasons["peer"]
    assert [one.contender for one in turns] == [OURS]


def test_an_idle_process_is_stopped(tmp_path: Path) -> None:
    with ContenderProcess(PYTHON, tmp_path / "log", {}) as process:
        process.ask("take_loads", patience=60, loads={})
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8")
    assert stat.rsplit(")", 1)[1].split()[0] in "Tt"


def test_a_process_that_does_not_answer_in_time_is_ended(tmp_path: Path) -> None:
    with (
        ContenderProcess(PYTHON, tmp_path / "log", {}) as process,
        pytest.raises(ContenderError, match="'take_loads' took longer than 0 s"),
    ):
        process.ask("take_loads", patience=0, loads={})


def make_turns(contender: Contender, *seconds: float) -> Turns:
    return Turns(
        contender,
        process=None,  # type: ignore[arg-type]  # results do not ask it
        versions={"numpy": "2"},
        differences={load.key: 1e-7 for load in LOADS},
        is_slow=False,
        seconds={
            "single": [[one / 2, one / 2] for one in seconds],
            "file_order": [[one] for one in seconds],
        },
    )


def fill(folder: Path, **machine: Any) -> Results:
    filled = Results(folder, CASE, {**MACHINE, **machine})
    turns = [make_turns(OURS, 1.0, 2.0), make_turns(fake("peer"), 3.0, 4.0)]
    heat = Heat("float32", (OURS,), (fake("peer"),), counts_anchors=True)
    filled.put(heat, turns, LOADS)
    filled.refuse(fake("other"), "its package is missing")
    return filled


def test_ratios_are_paired_round_by_round(tmp_path: Path) -> None:
    content = json.loads(fill(tmp_path).path.read_text(encoding="utf-8"))
    (figure,) = (
        one
        for one in content["figures"]
        if (one["contender"], one["load"]) == ("peer", "file_order")
    )
    assert figure["tfclf_times_as_fast"] == {OURS.key: {"ratio": 2.5, "range": [2.0, 3.0]}}


def test_figures_of_a_run_that_was_stopped_stay(tmp_path: Path) -> None:
    before = len(json.loads(fill(tmp_path).path.read_text(encoding="utf-8"))["figures"])
    again = Results(tmp_path, CASE, MACHINE)
    again.refuse(fake("one more"), "its package is missing")
    assert len(json.loads(again.path.read_text(encoding="utf-8"))["figures"]) == before


def test_figures_of_different_machines_are_in_different_files(tmp_path: Path) -> None:
    assert fill(tmp_path).path != fill(tmp_path, processor="Another CPU").path


def test_figures_of_other_versions_are_not_mixed(tmp_path: Path) -> None:
    fill(tmp_path)
    again = Results(tmp_path, CASE, {**MACHINE, "python": "3.12"})
    again.refuse(fake("one more"), "its package is missing")
    assert json.loads(again.path.read_text(encoding="utf-8"))["figures"] == []


def test_the_table_names_every_contender_or_its_reason(tmp_path: Path) -> None:
    fill(tmp_path)
    shown = table.render(tmp_path)
    assert "| fake peer | 1750 / 2000 (2.50 x, 2.00-3.00) |" in shown
    assert "- fake other: its package is missing." in shown


def test_a_table_is_written_between_its_own_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- peers: start -->\nold\n<!-- peers: end -->\nb\n", encoding="utf-8")
    readme.write_table(page, "new", mark="peers")
    assert "start -->\nnew\n<!-- peers: end -->\nb" in page.read_text(encoding="utf-8")
