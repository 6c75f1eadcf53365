"""The files of a report: all of them come into their folder, or none does."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf.evaluation.files import written_whole
from tfclf.evaluation.pages import comparison_page, report_page
from tfclf.evaluation.plot import plot_reliability
from tfclf.evaluation.report import Report
from tfclf.files import write_json

if TYPE_CHECKING:
    from tfclf.evaluation.comparison import Comparison
    from tfclf.evaluation.provenance import About
    from tfclf.evaluation.published import Published

REPORT_FILES = (
    "metrics.json",
    "report.html",
    "report.md",
    "confusion_matrix.json",
    "confusion_matrix.png",
    "reliability.png",
)
COMPARISON_FILES = ("comparison.json", "report.html", "report.md")
_SUFFIXES = ("html", "md")


def content_of(
    report: Report, about: "About | None", published: "Published | None"
) -> dict[str, Any]:
    """As `metrics.json` has it and `--json` prints it."""
    card = {"card": published.to_dict()} if published else {}
    return {**report.to_dict(), **({"about": about.to_dict()} if about else {}), **card}


def content_of_comparison(comparison: "Comparison", about: "About | None") -> dict[str, Any]:
    """As `comparison.json` has it and `--json` prints it."""
    return {**comparison.to_dict(), **({"about": about.to_dict()} if about else {})}


def write_report(
    report: Report,
    folder: Path,
    *,
    title: str,
    about: "About | None",
    published: "Published | None",
) -> None:
    """Writes REPORT_FILES."""
    with written_whole(folder) as beside:
        write_json(beside / "metrics.json", content_of(report, about, published))
        report.write_confusion_matrix(beside, title=title)
        plot_reliability(report.calibration, beside / "reliability.png", title=title)
        for suffix in _SUFFIXES:
            page = report_page(suffix, report, title=title, about=about, published=published)
            (beside / f"report.{suffix}").write_text(page, encoding="utf-8")


def write_comparison(
    comparison: "Comparison", folder: Path, *, title: str, about: "About | None"
) -> None:
    """Writes COMPARISON_FILES."""
    with written_whole(folder) as beside:
        write_json(beside / "comparison.json", content_of_comparison(comparison, about))
        for suffix in _SUFFIXES:
            page = comparison_page(suffix, comparison, title=title, about=about)
            (beside / f"report.{suffix}").write_text(page, encoding="utf-8")
