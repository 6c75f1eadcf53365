"""The progress bar of long calls."""

import pytest

from tfclf import progress


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich take standard error for a terminal, and show the bar at once."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)


def test_the_bar_shows_the_total_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.show_progress("abc", total=3, unit="texts")) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert "of 3 texts" in shown
    assert "0:00:00" in shown


def test_a_bar_without_a_total_shows_the_count(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.show_progress("abc", total=None, unit="texts"))
    assert "3 texts" in capsys.readouterr().err
