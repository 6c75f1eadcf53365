"""`tfclf evaluate`."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf.cli.evaluate.tables import print_comparison
from tfclf.cli.evaluate.tables import print_report as print_report
from tfclf.cli.options import Machine, TextColumns, Xla
from tfclf.data import Layout
from tfclf.errors import InputError
from tfclf.evaluation.calibration import BINS

if TYPE_CHECKING:
    from tfclf.catalog.cards import Card
    from tfclf.cli.evaluate.models import Model

# What both `evaluate` and `train` ask of a file of rows that does not say it itself.
LabelColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the label, by name or by position from 0.", show_default="recognised"
    ),
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
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL DATA",
            help="A model (an export, a checkpoint or a preset), two with --compare, one less with --server; then the "
            "labelled rows: .csv, .jsonl (both also .gz) or .parquet.",
            show_default=False,
        ),
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Put two models side by side.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            help="Ask a model on a server: 127.0.0.1:8500 (gRPC) or http://127.0.0.1:8501 (REST)."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What the server calls the model.", show_default="default")
    ] = None,
    model_version: Annotated[
        str | None,
        typer.Option(help="Its version there, a number or a label.", show_default="the latest"),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(
            help="Card whose figures stand beside these.",
            show_default="the card of the model's name",
        ),
    ] = None,
    data_set: Annotated[
        str | None,
        typer.Option(
            help="Whose rows they are: ag_news, imdb or allocine. Numbers are then its labels, and DATA may be its "
            "folder.",
            show_default="the card's",
        ),
    ] = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    label_base: LabelBase = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for report.html, report.md, metrics.json and the plots."),
    ] = None,
    mistakes: Annotated[
        int,
        typer.Option(
            help="Worst mistakes (and disagreements) whose texts a report and --json show; 0: none.",
            min=0,
        ),
    ] = 20,
    bins: Annotated[int, typer.Option(help="Of the calibration.", min=1)] = BINS,
    batch_size: Annotated[int, typer.Option(help="Texts at once.", min=1)] = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Measures a model on labelled rows: accuracy, F1, loss, confusion, calibration, the worst mistakes.

    Example: `tfclf evaluate my_model test.csv --output report`

    Two models side by side: `tfclf evaluate --compare my_model other_model test.csv`

    A served model: `tfclf evaluate --server 127.0.0.1:8500 --model news test.csv`
    """
    from tfclf.cli.evaluate.models import Served, asked, loaded, told_apart
    from tfclf.cli.evaluate.rows import rows_of

    *sources, last = arguments
    data = Path(last)
    _check(
        sources,
        data,
        compare=compare,
        server=server,
        model=model,
        model_version=model_version,
        card=card,
    )
    # What is needed only at the end is asked for first.
    asked_card = _named_card(card)
    _check_extras(output)
    layout = layout_of(text_column, label_column, header, label_base)
    measuring: dict[str, Any] = {"batch_size": batch_size, "bins": bins}
    with ExitStack() as open_clients:
        models: list[Model] = []
        for number in range(2 if compare else 1):
            # Two bars at a time would write over one another.
            options: dict[str, Any] = {
                "xla": xla,
                "batch_size": batch_size,
                "progress": not machine and number == 0,
            }
            if number < len(sources):
                models.append(loaded(sources[number], **options))
            else:
                place = Served(str(server), model, model_version)
                models.append(open_clients.enter_context(asked(place, **options)))
        own_card = asked_card or (None if compare else _card_of(models[0]))
        card_set = None if own_card is None else own_card.training.data_set
        rows = rows_of(data, models[0].subject.labels, layout, named=data_set, card=card_set)
        texts = mistakes if machine or output is not None else 0
        if compare:
            _compare(
                told_apart(*models),
                rows,
                data,
                output,
                machine=machine,
                mistakes=texts,
                **measuring,
            )
        else:
            _evaluate(
                models[0],
                rows,
                data,
                output,
                own_card,
                machine=machine,
                mistakes=texts,
                **measuring,
            )


def layout_of(
    text_column: list[str] | None,
    label_column: str | None,
    header: bool | None,
    label_base: int | None,
) -> Layout:
    """The options that both commands share, as one record."""
    return Layout(
        text=tuple(text_column or ()), label=label_column, header=header, label_base=label_base
    )


def _evaluate(
    model: "Model",
    rows: Any,
    data: Path,
    output: Path | None,
    card: "Card | None",
    *,
    machine: bool,
    **measuring: Any,
) -> None:
    from tfclf.evaluation import evaluate as measure
    from tfclf.evaluation.provenance import described
    from tfclf.evaluation.published import beside_card
    from tfclf.evaluation.writing import REPORT_FILES, content_of

    subject = model.subject
    report = measure(
        subject.predict, rows, subject.labels, independent=subject.independent, **measuring
    )
    about = described((model.facts,), data=str(data), rows=report.samples, tensorflow=model.here)
    published = None if card is None else beside_card(report, card)
    if output is not None:
        report.write(
            output, title=f"{subject.name} on {data.name}", about=about, published=published
        )
    if machine:
        typer.echo(json.dumps(content_of(report, about, published), ensure_ascii=False))
        return
    print_report(report, title=f"{model.place} on {data}", published=published)
    if output is not None:
        typer.echo(f"Written to {output}: {', '.join(REPORT_FILES)}")


def _compare(
    models: "tuple[Model, Model]",
    rows: Any,
    data: Path,
    output: Path | None,
    *,
    machine: bool,
    **measuring: Any,
) -> None:
    from tfclf.evaluation import compare
    from tfclf.evaluation.provenance import described
    from tfclf.evaluation.writing import COMPARISON_FILES, content_of_comparison

    first, second = models
    found = compare(first.subject, second.subject, rows, **measuring)
    facts = (first.facts, second.facts)
    about = described(
        facts, data=str(data), rows=found.samples, tensorflow=first.here or second.here
    )
    title = f"{first.subject.name} and {second.subject.name} on {data.name}"
    if output is not None:
        found.write(output, title=title, about=about)
    if machine:
        typer.echo(json.dumps(content_of_comparison(found, about), ensure_ascii=False))
        return
    print_comparison(found, title=title)
    if output is not None:
        typer.echo(f"Written to {output}: {', '.join(COMPARISON_FILES)}")


def _check(
    sources: list[str],
    data: Path,
    *,
    compare: bool,
    server: str | None,
    model: str | None,
    model_version: str | None,
    card: str | None,
) -> None:
    wanted = (2 if compare else 1) - (server is not None)
    if len(sources) != wanted:
        found = ", ".join(sources) or "none"
        expected = ("none, since the server has it", "one", "two")[wanted]
        raise InputError(
            f"the last argument, {data}, is taken for the rows; the models before it are: {found}. "
            f"Expected {expected}: `tfclf evaluate MODEL DATA`, `tfclf evaluate --compare MODEL MODEL DATA`, or "
            f"`tfclf evaluate --server ADDRESS --model NAME DATA`."
        )
    if server is None and (model is not None or model_version is not None):
        raise InputError(
            "--model and --model-version say what to ask a server for; give its address with --server."
        )
    if compare and card is not None:
        raise InputError(
            f"--card {card} and --compare are given; a card's figures stand beside those of one model."
        )


def _named_card(name: str | None) -> "Card | None":
    from tfclf.catalog.cards import find

    return None if name is None else find(name)


def _card_of(model: "Model") -> "Card | None":
    from tfclf.catalog.cards import find, is_name

    return next((find(name) for name in model.names if is_name(name)), None)


def _check_extras(output: Path | None) -> None:
    from tfclf.evaluation.files import check_output
    from tfclf.evaluation.metrics import sklearn_metrics
    from tfclf.evaluation.pages import require_jinja
    from tfclf.evaluation.plot import require_matplotlib

    sklearn_metrics()
    if output is not None:
        check_output(output)
        require_matplotlib()
        require_jinja()
