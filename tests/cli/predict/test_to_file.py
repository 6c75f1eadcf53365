"""`tfclf predict --output`: options, summary and exit codes."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tfclf
from tests.tables.rows import ROWS, read_rows, write_rows
from tfclf import cli
from tfclf.cli.predict import to_file
from tfclf.tables import run as job

Predict = Callable[..., tuple[int, str, str]]


@pytest.fixture
def predict(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    classifier: tfclf.Classifier,
) -> Predict:
    """Run `tfclf predict MODEL` here, and return its exit code, output and errors."""
    # This process has run ops already, and its threads are those of the other tests.
    monkeypatch.setattr(to_file, "use_cores_as_streams", lambda streams: streams or 1)
    monkeypatch.setattr(job, "load", lambda model, xla: classifier)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tfclf", "predict", "model", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_it_says_how_many_rows_it_wrote_and_where(predict: Predict, tmp_path: Path) -> None:
    rows, output = write_rows(tmp_path / "rows.csv"), tmp_path / "scored.csv"
    assert predict("--file", rows, "--output", output) == (0, f"53 rows in {output}\n", "")


def test_the_summary_may_be_json(predict: Predict, tmp_path: Path) -> None:
    rows, output = write_rows(tmp_path / "rows.csv"), tmp_path / "scored.csv"
    _, said, _ = predict("--file", rows, "--output", output, "--json")
    assert json.loads(said) == {
        "rows": 53,
        "failed": 0,
        "resumed": 0,
        "output": str(output),
        "failures": None,
    }


def test_rows_without_a_prediction_end_it_with_3(predict: Predict, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"text": "a"}, {"text": None}])
    code, said, _ = predict(
        "--file", rows, "--output", tmp_path / "scored.jsonl", "--on-error", "skip"
    )
    assert (code, said.splitlines()[1]) == (
        3,
        f"Rows without a prediction: 1; {tmp_path / 'scored.jsonl.failed.jsonl'} says why",
    )


def test_the_names_of_the_columns_are_options(predict: Predict, tmp_path: Path) -> None:
    rows, output = write_rows(tmp_path / "rows.csv"), tmp_path / "scored.csv"
    predict(
        *("--file", rows, "--output", output, "--columns", "id", "--prefix", "p_"),
        *("--rename", "label=topic", "--probabilities", "none"),
    )
    assert list(read_rows(output)[0]) == ["id", "topic", "p_score", "p_truncated"]


def test_a_shard_is_an_option(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_BLOCK", 20)
    rows = write_rows(tmp_path / "rows.csv")
    predict("--file", rows, "--output", tmp_path / "scored.csv", "--shard", "2/2")
    scored = read_rows(tmp_path / "scored-00002-of-00002.csv")
    assert [row["id"] for row in scored] == [row["id"] for row in ROWS[20:40]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a text", "--output", "scored.csv"], "expected --file with the rows"),
        (["--output", "scored.csv"], "no --file; expected --file"),
        (["--file", "-", "--output", "scored.csv"], "--file is standard input"),
        (["--file", "rows.csv", "--output", "scored.xlsx"], "ends in .xlsx"),
        (["--file", "rows.csv", "--output", "scored"], None),
        (["--file", "rows.csv", "--output", "s.csv", "--shard", "3/2"], "I from 1 to N"),
        (["--file", "rows.csv", "--output", "s.csv", "--on-error", "cry"], "on_error is 'cry'"),
        (["--file", "rows.csv", "--output", "s.csv", "--rename", "label"], "expected OLD=NEW"),
        (["--file", "rows.csv", "--output", "s.csv", "--rename", "x=y"], "no such column is added"),
        (["--file", "rows.csv", "--output", "s.csv", "--probabilities", "all"], "expected one of"),
        (["--file", "rows.csv", "--prefix", "p_"], "--prefix is given without --output"),
        (["--file", "rows.csv", "--no-resume"], "--resume is given without --output"),
        (["--file", "no/*.csv", "--output", "s.csv"], "no file has a name of this pattern"),
    ],
)
def test_options_that_do_not_fit_end_it_with_2(
    predict: Predict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    told: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.csv")
    code, _, said = predict(*arguments)
    assert (code, told is None or told in said) == (0 if told is None else 2, True)


@pytest.mark.parametrize("place", ["-", "/dev/null"])
def test_an_output_that_is_no_file_is_refused(predict: Predict, tmp_path: Path, place: str) -> None:
    code, _, said = predict("--file", write_rows(tmp_path / "rows.csv"), "--output", place)
    assert code == 2
    assert f"--output is {place}" in said


def test_a_pipe_is_not_read_to_an_output(predict: Predict, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    code, _, said = predict("--file", tmp_path / "rows.csv", "--output", tmp_path / "scored.csv")
    assert code == 2
    assert "is a pipe or a device, which can be read once" in said
