"""`tfclf evaluate`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tfclf.cli.options import Machine, TextColumns, Xla
from tfclf.data import Layout
from tfclf.errors import InputError
from tfclf.evaluation.report import Report
from tfclf.quiet import quiet_start

# What both `evaluate` and `train` ask of a file of rows that does not say it itself.
LabelColumn = Annotated[
    str | None,
    typer.Option(help="Column of the label, by name or by position from 0.", show_default="recognised"),
]
Header = Annotated[
    bool | None,
    typer.Option("--header/--no-header", help="Whether a CSV file's first row names its columns."),
]
LabelBase = Annotated[
    int | None,
    typer.Option(help="The number of the first label, where labels are numbers.", min=0, max=1),
]


def evaluate(
    model: Annotated[str, typer.Argument(help="An exported model, a Hugging Face checkpoint or a KerasHub preset.")],
    data: Annotated[Path, typer.Argument(help="Labelled rows: .csv, .jsonl (both also .gz) or .parquet.")],
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    label_base: LabelBase = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for metrics.json, confusion_matrix.json and confusion_matrix.png."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Texts at once.", min=1)] = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Measures a model on labelled rows: accuracy, precision, recall, F1, loss, confusion matrix.

    Example: `tfclf evaluate my_model test.csv --output report`
    """
    from tfclf.data import labelled_rows
    from tfclf.evaluation import evaluate as measure
    from tfclf.evaluation.metrics import sklearn_metrics
    from tfclf.evaluation.plot import require_matplotlib

    # What is needed only at the end is asked for first.
    sklearn_metrics()
    if output is not None:
        require_matplotlib()
    with quiet_start():
        from tfclf.loader import load

    classifier = load(model, xla=xla)
    problem_type = classifier.manifest.problem_type
    if problem_type == "regression":
        raise InputError(f"{model} is a regression; expected a classifier: only classification is measured here.")
    rows = labelled_rows(data, classifier.labels, layout_of(text_column, label_column, header, label_base))
    report = measure(
        lambda texts: classifier.predict(texts, batch_size=batch_size, progress=not machine),
        rows,
        classifier.labels,
        independent=problem_type == "multi_label_classification",
    )
    if output is not None:
        report.write(output, title=f"{Path(model).name}: {report.samples:,} rows of {data.name}")
    if machine:
        typer.echo(json.dumps(report.to_dict(), ensure_ascii=False))
        return
    print_report(report, title=f"{model} on {data}")
    if output is not None:
        typer.echo(f"Written to {output}: metrics.json, confusion_matrix.json, confusion_matrix.png")


def layout_of(
    text_column: list[str] | None, label_column: str | None, header: bool | None, label_base: int | None
) -> Layout:
    """The options that both commands share, as one record."""
    return Layout(text=tuple(text_column or ()), label=label_column, header=header, label_base=label_base)


def print_report(report: Report, *, title: str) -> None:
    """scikit-learn's classification report and the confusion matrix, as tables."""
    from rich.console import Console

    console = Console()
    console.print()
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(
        f"accuracy {report.accuracy:.4f}   loss {report.loss:.4f}   {report.samples:,} rows in "
        f"{report.runtime:.1f} s ({report.samples / max(report.runtime, 1e-9):,.0f} rows/s)",
        highlight=False,
    )
    console.print(_classes(report))
    console.print(_confusion_matrix(report))


def _classes(report: Report) -> Any:
    from rich.table import Table

    table = Table("label")
    for name in ("precision", "recall", "f1-score", "support"):
        table.add_column(name, justify="right")
    averages = [report.averages["macro"], report.averages["weighted"]]
    for number, line in enumerate([*report.classes, *averages], 1):
        cells = (f"{line.precision:.4f}", f"{line.recall:.4f}", f"{line.f1:.4f}", f"{line.support:,}")
        table.add_row(line.label, *cells, end_section=number == len(report.classes))
    return table


def _confusion_matrix(report: Report) -> Any:
    from rich.table import Table

    table = Table("true \\ predicted")
    for label in report.labels:
        table.add_column(label, justify="right")
    for position, (label, counts) in enumerate(zip(report.labels, report.confusion_matrix, strict=True)):
        cells = (f"[bold]{count:,}[/]" if column == position else f"{count:,}" for column, count in enumerate(counts))
        table.add_row(label, *cells)
    return table
