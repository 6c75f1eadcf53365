"""What `tfclf evaluate` and `tfclf train` print for people."""

from collections.abc import Sequence
from typing import Any

from tfclf.evaluation import Comparison, Report
from tfclf.evaluation.pages import shown_metric, verdict
from tfclf.evaluation.published import Published


def print_report(report: Report, *, title: str, published: Published | None = None) -> None:
    """scikit-learn's classification report and the confusion matrix, as tables; a card's figures beside ours."""
    console = _console()
    console.print()
    console.print(title, style="bold", soft_wrap=True)
    console.print(
        f"accuracy {report.accuracy:.4f}   loss {report.loss:.4f}   calibration error {report.calibration.ece:.4f}   "
        f"{report.samples:,} rows in {report.runtime:.1f} s "
        f"({report.samples / max(report.runtime, 1e-9):,.0f} rows/s)",
        soft_wrap=True,
    )
    console.print(_classes(report))
    console.print(_confusion_matrix(report))
    if published is not None:
        console.print(f"Beside the figures of the card {published.card}:")
        console.print(_published(published))
        for remark in published.remarks:
            console.print(f"- {remark}", soft_wrap=True)


def print_comparison(comparison: Comparison, *, title: str) -> None:
    """Metrics side by side, the 2x2 table of right and wrong, and the test."""
    console, test = _console(), comparison.mcnemar
    first, second = comparison.first.metrics(), comparison.second.metrics()
    console.print()
    console.print(title, style="bold", soft_wrap=True)
    console.print(f"first: {comparison.names[0]}\nsecond: {comparison.names[1]}", soft_wrap=True)
    metrics = _table("metric", ["first", "second", "second less first"])
    for name, difference in comparison.differences().items():
        metrics.add_row(
            name,
            shown_metric(name, first[name]),
            shown_metric(name, second[name]),
            shown_metric(name, difference, signed=True),
        )
    errors = comparison.first.calibration.ece, comparison.second.calibration.ece
    shown = [shown_metric("", error) for error in errors]
    metrics.add_row(
        "calibration error", *shown, shown_metric("", errors[1] - errors[0], signed=True)
    )
    console.print(metrics)
    outcomes = _table("rows", ["second right", "second wrong"])
    outcomes.add_row("first right", f"{comparison.both_right:,}", f"{test.only_first_right:,}")
    outcomes.add_row("first wrong", f"{test.only_second_right:,}", f"{comparison.both_wrong:,}")
    console.print(outcomes)
    console.print(f"McNemar's test ({test.method}): {verdict(comparison)}", soft_wrap=True)
    console.print(
        f"Same label on {comparison.agreement:.2%} of {comparison.samples:,} rows ({len(comparison.disagreements):,} "
        f"differ); largest difference of a probability {comparison.largest_probability_difference:.3g}, on row "
        f"{comparison.its_row:,}.",
        soft_wrap=True,
    )


def _console() -> Any:
    from rich.console import Console

    return Console(markup=False, highlight=False)  # names and labels are shown as they are


def _table(first: str, others: Sequence[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column(Text(first))
    for name in others:
        table.add_column(Text(name), justify="right")
    return table


def _classes(report: Report) -> Any:
    from rich.text import Text

    table = _table("label", ["precision", "recall", "f1-score", "support"])
    averages = [report.averages["macro"], report.averages["weighted"]]
    for number, line in enumerate([*report.classes, *averages], 1):
        cells = (
            f"{line.precision:.4f}",
            f"{line.recall:.4f}",
            f"{line.f1:.4f}",
            f"{line.support:,}",
        )
        table.add_row(Text(line.label), *cells, end_section=number == len(report.classes))
    return table


def _confusion_matrix(report: Report) -> Any:
    from rich.text import Text

    table = _table("true \\ predicted", report.labels)
    for position, (label, counts) in enumerate(
        zip(report.labels, report.confusion_matrix, strict=True)
    ):
        cells = (
            Text(f"{count:,}", style="bold" if column == position else "")
            for column, count in enumerate(counts)
        )
        table.add_row(Text(label), *cells)
    return table


def _published(published: Published) -> Any:
    from rich.text import Text

    table = _table("metric", ["here", "published", "difference"])
    for one in published.figures:
        table.add_row(
            Text(one.metric),
            shown_metric(one.metric, one.here),
            shown_metric(one.metric, one.published, published=True),
            shown_metric(one.metric, one.difference, signed=True),
        )
    return table
