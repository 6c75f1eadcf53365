"""`tfclf calibrate`, in this process."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samples.checkpoints import edit_json
from tests.calibrator.test_calibrate import COLOURS, MULTI_ROWS, ROWS
from tfclf import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tfclf", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return command


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    lines = (json.dumps({"text": row.text, "label": row.label}) for row in ROWS)
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "rows.jsonl"


def test_it_prints_the_figures_and_the_new_version(
    run: Run, rows: Path, short_export: Path, tmp_path: Path
) -> None:
    code, out, _ = run("calibrate", short_export, rows, "-o", tmp_path / "news")
    assert code == 0
    assert "expected calibration error" in out
    assert "40 rows are few" in out
    assert out.splitlines()[-1] == str(tmp_path / "news" / "1")


def test_json_and_report_hold_the_same(run: Run, multi_label_export: Path, tmp_path: Path) -> None:
    lines = (json.dumps({"text": row.text, "labels": row.labels}) for row in MULTI_ROWS)
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    options = ("-o", tmp_path / "colours", "--report", tmp_path / "report", "--json")
    code, out, _ = run("calibrate", multi_label_export, tmp_path / "rows.jsonl", *options)
    content: dict[str, Any] = json.loads(out)
    written = json.loads((tmp_path / "report" / "calibration.json").read_text(encoding="utf-8"))
    assert (code, content) == (0, written)
    assert list(content["thresholds"]) == list(COLOURS)
    shown = run("show", tmp_path / "colours")[1]
    assert f"temperature {content['temperature']:.4f}, fitted to 40 rows" in " ".join(shown.split())
    assert f"thresholds red {content['thresholds']['red']:.4f}" in " ".join(shown.split())


def test_errors_end_it_with_2_before_anything_is_written(
    run: Run, rows: Path, short_export: Path, regression_export: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    (tmp_path / "report").mkdir()
    edit = tmp_path / "report" / "calibration.json"
    edit.write_text("{}", encoding="utf-8")
    edit_json(edit, old=True)
    (tmp_path / "unlabelled.csv").write_text("text\na\n", encoding="utf-8")
    for arguments, told in (
        ((regression_export, rows), "is a regression"),
        ((short_export, tmp_path / "nowhere.csv"), "does not exist"),
        ((short_export, tmp_path / "unlabelled.csv"), "label"),
        ((short_export, rows, "--evaluate-on", "-"), "--evaluate-on is standard input"),
        ((short_export, rows, "--report", tmp_path / "report"), "holds a report already"),
        ((short_export, rows, "--version", "0"), "version is 0"),
    ):
        code, _, said = run("calibrate", *arguments, "-o", folder)
        assert (code, told in said) == (2, True), said
    assert not folder.exists()
