"""The files of a report. They appear in their folder all together, or not at all."""

from pathlib import Path
from typing import Any

from tfclf.evaluation.pages import comparison_page, report_page
from tfclf.evaluation.pair_scores import PairScores
from tfclf.evaluation.plot import plot_confusion_matrix, plot_reliability
from tfclf.evaluation.provenance import About
from tfclf.evaluation.published import Published
from tfclf.evaluation.scores import FORMAT_VERSION, Scores
from tfclf.files import fill_folder, write_json

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


def content_of(scores: Scores, about: About | None, published: Published | None) -> dict[str, Any]:
    """Return the content of `metrics.json`, which `--json` prints too."""
    content = scores.to_dict()
    if about is not None:
        content["about"] = about.to_dict()
    if published is not None:
        content["card"] = published.to_dict()
    return content


def content_of_comparison(pair: PairScores, about: About | None) -> dict[str, Any]:
    """Return the content of `comparison.json`, which `--json` prints too."""
    content = pair.to_dict()
    if about is not None:
        content["about"] = about.to_dict()
    return content


def write_report(
    scores: Scores,
    folder: Path,
    *,
    title: str,
    about: About | None,
    published: Published | None,
) -> None:
    """Write REPORT_FILES."""
    with fill_folder(folder) as beside:
        write_json(beside / "metrics.json", content_of(scores, about, published))
        write_confusion_matrix(scores, beside, title=title)
        plot_reliability(scores.calibration, beside / "reliability.png", title=title)
        for suffix in _SUFFIXES:
            page = report_page(suffix, scores, title=title, about=about, published=published)
            (beside / f"report.{suffix}").write_text(page, encoding="utf-8")


def write_comparison(pair: PairScores, folder: Path, *, title: str, about: About | None) -> None:
    """Write COMPARISON_FILES."""
    with fill_folder(folder) as beside:
        write_json(beside / "comparison.json", content_of_comparison(pair, about))
        for suffix in _SUFFIXES:
            page = comparison_page(suffix, pair, title=title, about=about)
            (beside / f"report.{suffix}").write_text(page, encoding="utf-8")


def write_confusion_matrix(scores: Scores, folder: Path, *, title: str) -> None:
    """Write confusion_matrix.json and .png. Raises: MissingExtraError without matplotlib."""
    content = {
        "format_version": FORMAT_VERSION,
        "title": title,
        "labels": list(scores.labels),
        "rows": "true label",
        "columns": "predicted label",
        "counts": [list(row) for row in scores.confusion_matrix],
    }
    write_json(folder / "confusion_matrix.json", content)
    plot_confusion_matrix(
        scores.confusion_matrix, scores.labels, folder / "confusion_matrix.png", title=title
    )
