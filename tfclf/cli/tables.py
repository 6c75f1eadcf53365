"""Tables that `tfclf evaluate` and `tfclf train` print for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfclf.cli.consoles import make_console
from tfclf.evaluation import Comparison, MultiLabelReport, Report
from tfclf.evaluation.pages import format_metric, verdict
from tfclf.evaluation.published import Published

if TYPE_CHECKING:
    from tfclf.calibrator import CalibrationReport


def print_report(report: Report, *, title: str, published: Published | None = None) -> None:
    """Print scikit-learn's classification report, the confusion matrix and a card's figures."""
    console = make_console(markup=False, highlight=False)  # print names unchanged
    console.print()
    console.print(title, style="bold", soft_wrap=True)
    console.print(
        f"accuracy {report.accuracy:.4f}   loss {report.loss:.4f}   "
        f"calibration error {report.calibration.ece:.4f}   "
        f"{report.samples:,} rows in {report.runtime:.1f} s "
        f"({report.samples / max(report.runtime, 1e-9):,.0f} rows/s)",
        soft_wrap=True,
    )
    console.print(_make_class_table(report))
    console.print(_make_confusion_matrix(report))
    if published is not None:
        console.print(f"Beside the figures of the card {published.card}:")
        console.print(_make_card_table(published))
        for remark in published.remarks:
            console.print(f"- {remark}", soft_wrap=True)


def print_multi_label(report: MultiLabelReport, *, title: str) -> None:
    """Print the scores of a multi-label model, of all rows and by label."""
    from rich.text import Text

    console = make_console(markup=False, highlight=False)
    console.print()
    console.print(title, style="bold", soft_wrap=True)
    console.print(
        f"subset accuracy {report.subset_accuracy:.4f}   loss {report.loss:.4f}   "
        f"{report.samples:,} rows in {report.runtime:.1f} s; a label counts as predicted if its "
        f"probability is above {report.threshold}",
        soft_wrap=True,
    )
    table = _make_table("label", ["precision", "recall", "f1-score", "avg precision", "support"])
    for number, line in enumerate([*report.classes, *report.averages.values()], 1):
        precision = line.average_precision
        table.add_row(
            Text(line.label),
            f"{line.precision:.4f}",
            f"{line.recall:.4f}",
            f"{line.f1:.4f}",
            "-" if precision is None else f"{precision:.4f}",
            f"{line.support:,}",
            end_section=number == len(report.classes),
        )
    console.print(table)


def print_calibration(report: "CalibrationReport", *, title: str) -> None:
    """Print the figures before and after a calibration, thresholds and remarks."""
    from rich.text import Text

    console = make_console(markup=False, highlight=False)
    console.print()
    console.print(title, style="bold", soft_wrap=True)
    console.print(
        f"temperature {report.temperature:.4f}, fitted to {report.fitted_rows:,} rows; measured on "
        f"{report.samples:,} others",
        soft_wrap=True,
    )
    table = _make_table("figure", ["before", "after"])
    for name, values in report.figures().items():
        table.add_row(name, *(f"{value:.4f}" for value in values))
    console.print(table)
    before, after = report.before, report.after
    if before.thresholds and after.thresholds and before.f1 and after.f1:
        table = _make_table("label", ["threshold before", "after", "F1 before", "after"])
        for label in report.labels:
            cells = (before.thresholds, after.thresholds, before.f1, after.f1)
            table.add_row(Text(label), *(f"{one[label]:.4f}" for one in cells))
        console.print(table)
    for remark in report.remarks:
        console.print(f"- {remark}", soft_wrap=True)


def print_comparison(comparison: Comparison, *, title: str) -> None:
    """Print metrics side by side, the 2x2 table of right and wrong, and McNemar's test."""
    console = make_console(markup=False, highlight=False)
    test = comparison.mcnemar
    first, second = comparison.first.metrics(), comparison.second.metrics()
    console.print()
    console.print(title, style="bold", soft_wrap=True)
    console.print(f"first: {comparison.names[0]}\nsecond: {comparison.names[1]}", soft_wrap=True)
    metrics = _make_table("metric", ["first", "second", "second minus first"])
    for name, difference in comparison.differences().items():
        metrics.add_row(
            name,
            format_metric(name, first[name]),
            format_metric(name, second[name]),
            format_metric(name, difference, signed=True),
        )
    first_ece, second_ece = comparison.first.calibration.ece, comparison.second.calibration.ece
    metrics.add_row(
        "calibration error",
        format_metric("", first_ece),
        format_metric("", second_ece),
        format_metric("", second_ece - first_ece, signed=True),
    )
    console.print(metrics)
    outcomes = _make_table("rows", ["second right", "second wrong"])
    outcomes.add_row("first right", f"{comparison.both_right:,}", f"{test.only_first_right:,}")
    outcomes.add_row("first wrong", f"{test.only_second_right:,}", f"{comparison.both_wrong:,}")
    console.print(outcomes)
    console.print(f"McNemar's test ({test.method}): {verdict(comparison)}", soft_wrap=True)
    console.print(
        f"Same label on {comparison.agreement:.2%} of {comparison.samples:,} rows "
        f"({len(comparison.disagreements):,} differ); largest difference between two probabilities "
        f"of a label {comparison.largest_probability_difference:.3g}, on row "
        f"{comparison.its_row:,}.",
        soft_wrap=True,
    )


def _make_table(first: str, others: Sequence[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column(Text(first))
    for name in others:
        table.add_column(Text(name), justify="right")
    return table


def _make_class_table(report: Report) -> Any:
    from rich.text import Text

    table = _make_table("label", ["precision", "recall", "f1-score", "support"])
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


def _make_confusion_matrix(report: Report) -> Any:
    from rich.text import Text

    table = _make_table("true \\ predicted", report.labels)
    for position, (label, counts) in enumerate(
        zip(report.labels, report.confusion_matrix, strict=True)
    ):
        cells = (
            Text(f"{count:,}", style="bold" if column == position else "")
            for column, count in enumerate(counts)
        )
        table.add_row(Text(label), *cells)
    return table


def _make_card_table(published: Published) -> Any:
    from rich.text import Text

    table = _make_table("metric", ["here", "published", "difference"])
    for one in published.figures:
        table.add_row(
            Text(one.metric),
            format_metric(one.metric, one.here),
            format_metric(one.metric, one.published, published=True),
            format_metric(one.metric, one.difference, signed=True),
        )
    return table
