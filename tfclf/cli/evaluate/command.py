"""`tfclf evaluate`."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf.cli.evaluate.output import check_output, print_json, print_notes, write_report
from tfclf.cli.options import (
    BatchSize,
    Delimiter,
    Format,
    Header,
    LabelBase,
    LabelColumn,
    Machine,
    TextColumns,
    Xla,
    layout_of,
)
from tfclf.cli.startup import start_to_predict
from tfclf.cli.tables import print_comparison, print_multi_label, print_report
from tfclf.errors import InputError
from tfclf.evaluation.calibration import BINS

if TYPE_CHECKING:
    from tfclf.catalog.cards import Card
    from tfclf.cli.evaluate.models import Model
    from tfclf.data import LabelledRows, Layout


def evaluate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL DATA",
            help="A model (an export, a checkpoint or a preset), two with --compare, one less with "
            "--server; then the labelled rows: .csv, .tsv, .jsonl, .ndjson, .json (all also .gz), "
            ".parquet, or - for standard input.",
            show_default=False,
        ),
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Evaluate two models on the same rows, side by side.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            help="Evaluate a model on this server: 127.0.0.1:8500 (gRPC) or http://127.0.0.1:8501 "
            "(REST)."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Name of the model on the server.",
            show_default="the server's only model",
        ),
    ] = None,
    model_version: Annotated[
        str | None,
        typer.Option(
            help="Version of the model on the server, a number or a label.",
            show_default="the latest",
        ),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(
            help="Card whose published figures to show beside these. Give it if the model has "
            "another name than its card.",
            show_default="the card of the model's name",
        ),
    ] = None,
    data_set: Annotated[
        str | None,
        typer.Option(
            help="Data set of the rows: ag_news, imdb or allocine. Numbers then count its labels, "
            "and DATA may be its folder.",
            show_default="the card's",
        ),
    ] = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    delimiter: Delimiter = None,
    file_format: Format = None,
    label_base: LabelBase = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder to write report.html, report.md, metrics.json and the plots to.",
            show_default="only print",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the report that --output holds already."),
    ] = False,
    mistakes: Annotated[
        int,
        typer.Option(
            help="Number of worst mistakes (and disagreements) that a report and --json show with "
            "their texts. Set 0 if the texts are private.",
            min=0,
        ),
    ] = 20,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Show which words of the worst mistakes moved the wrong label. It takes as long "
            "as predicting as many more rows as these texts have words.",
        ),
    ] = False,
    bins: Annotated[
        int,
        typer.Option(
            help="Number of bins of the calibration. Lower it if there are few rows.", min=1
        ),
    ] = BINS,
    batch_size: BatchSize = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Measure a model on labelled rows: accuracy, F1, loss, confusion, calibration, worst mistakes.

    Example: `tfclf evaluate my_model test.csv --output report`

    Two models side by side: `tfclf evaluate --compare my_model other_model test.csv`

    A served model: `tfclf evaluate --server 127.0.0.1:8500 --model news test.csv`
    """
    from tfclf.cli.evaluate.models import Served, connect_model, distinguish, load_model
    from tfclf.cli.evaluate.rows import check_rows, keep_rows, rows_of
    from tfclf.client.address import Address
    from tfclf.data.lines import name_of

    *sources, last = arguments
    data = Path(last)
    _check_arguments(
        sources,
        data,
        compare=compare,
        server=server,
        model=model,
        model_version=model_version,
        card=card,
    )
    # Needed only at the end. Check now, before minutes of predicting.
    named_card = _find_card(card)
    _check_extras(output, overwrite=overwrite)
    layout = layout_of(
        text_column, label_column, header, label_base, delimiter, file_format=file_format
    )
    if server is not None:
        Address.parse(server)
    measuring: dict[str, Any] = {"batch_size": batch_size, "bins": bins}
    with ExitStack() as opened:
        place = Path(name_of(data))
        data = opened.enter_context(keep_rows(data, layout))
        check_rows(data, layout, named=data_set)
        if sources:
            start_to_predict(*sources)
        models: list[Model] = []
        for number in range(2 if compare else 1):
            # Show one progress bar: two would overwrite each other.
            options: dict[str, Any] = {
                "xla": xla,
                "batch_size": batch_size,
                "progress": not machine and number == 0,
            }
            if number < len(sources):
                models.append(load_model(sources[number], **options))
            else:
                served = Served(str(server), model, model_version)
                models.append(opened.enter_context(connect_model(served, **options)))
        if explain and (compare or models[0].subject.independent):
            raise InputError(
                "--explain is for the worst mistakes of one single-label model; found "
                f"{'--compare' if compare else 'a multi-label model'}. Leave --explain out."
            )
        if models[0].subject.independent:
            _evaluate_multi_label(
                models[0],
                data,
                place,
                layout,
                output,
                compare=compare,
                machine=machine,
                **measuring,
            )
            return
        own_card = named_card or (None if compare else _card_of(models[0]))
        card_set = None if own_card is None else own_card.training.data_set
        rows = rows_of(
            data,
            models[0].subject.labels,
            layout,
            named=data_set,
            card=card_set,
            card_named=named_card is not None,
        )
        texts = mistakes if machine or output is not None else 0
        if compare:
            _compare(
                distinguish(*models),
                rows,
                place,
                output,
                machine=machine,
                mistakes=texts,
                **measuring,
            )
        else:
            _evaluate(
                models[0],
                rows,
                place,
                output,
                own_card,
                machine=machine,
                explain=explain,
                mistakes=texts,
                **measuring,
            )


def _evaluate(
    model: "Model",
    rows: "LabelledRows",
    place: Path,
    output: Path | None,
    card: "Card | None",
    *,
    machine: bool,
    explain: bool,
    **measuring: Any,
) -> None:
    from tfclf.evaluation import evaluate as measure
    from tfclf.evaluation.provenance import describe
    from tfclf.evaluation.published import compare_with_card
    from tfclf.evaluation.writing import REPORT_FILES, content_of

    subject = model.subject
    if explain and model.explain is None:
        typer.echo(
            f"The worst mistakes are not explained: {model.place} has no signature 'explain'. "
            f"Export the checkpoint again for that.",
            err=True,
        )
    report = measure(
        subject.predict,
        rows,
        subject.labels,
        independent=subject.independent,
        explain=model.explain if explain else None,
        **measuring,
    )
    about = describe(
        (model.facts,),
        data=str(place),
        rows=report.samples,
        tensorflow=model.here,
        numbers=rows.numbers,
    )
    published = None if card is None else compare_with_card(report, card)
    # Printed before it is written: a full disk costs the files and not the figures.
    if machine:
        print_json(content_of(report, about, published))
    else:
        print_report(report, title=f"{model.place} on {place}", published=published)
    title = f"{subject.name} on {place.name}"
    write_report(output, partial(report.write, title=title, about=about, published=published))
    if not machine:
        print_notes(rows, output, REPORT_FILES)


def _compare(
    models: "tuple[Model, Model]",
    rows: "LabelledRows",
    place: Path,
    output: Path | None,
    *,
    machine: bool,
    **measuring: Any,
) -> None:
    from tfclf.evaluation import compare
    from tfclf.evaluation.provenance import describe
    from tfclf.evaluation.writing import COMPARISON_FILES, content_of_comparison

    first, second = models
    comparison = compare(first.subject, second.subject, rows, **measuring)
    facts = (first.facts, second.facts)
    about = describe(
        facts,
        data=str(place),
        rows=comparison.samples,
        tensorflow=first.here or second.here,
        numbers=rows.numbers,
    )
    title = f"{first.subject.name} and {second.subject.name} on {place.name}"
    if machine:
        print_json(content_of_comparison(comparison, about))
    else:
        print_comparison(comparison, title=title)
    write_report(output, partial(comparison.write, title=title, about=about))
    if not machine:
        print_notes(rows, output, COMPARISON_FILES)


def _evaluate_multi_label(
    model: "Model",
    data: Path,
    place: Path,
    layout: "Layout",
    output: Path | None,
    *,
    compare: bool,
    machine: bool,
    batch_size: int,
    **_: Any,
) -> None:
    from tfclf.cli.evaluate.rows import multi_label_rows_of
    from tfclf.evaluation import evaluate_multi_label
    from tfclf.evaluation.multi_label import MULTI_LABEL_FILES
    from tfclf.evaluation.provenance import describe

    if compare:
        raise InputError(
            f"{model.place} is a multi-label model; --compare takes single-label models. "
            f"Evaluate each by itself."
        )
    subject = model.subject
    rows = multi_label_rows_of(data, subject.labels, layout, model=subject.name)
    report = evaluate_multi_label(subject.predict, rows, subject.labels, batch_size=batch_size)
    about = describe(
        (model.facts,),
        data=str(place),
        rows=report.samples,
        tensorflow=model.here,
        numbers=rows.numbers,
    )
    if machine:
        print_json(report.to_dict(about))
    else:
        print_multi_label(report, title=f"{model.place} on {place}")
    title = f"{subject.name} on {place.name}"
    write_report(output, partial(report.write, title=title, about=about))
    if not machine:
        print_notes(rows, output, MULTI_LABEL_FILES)


def _check_arguments(
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
        expected = ("none, since the server has it", "one", "two")[wanted]
        raise InputError(
            f"the last argument, {data}, is taken for the rows; the models before it are: "
            f"{', '.join(sources) or 'none'}. Expected {expected}: `tfclf evaluate MODEL DATA`, "
            f"`tfclf evaluate --compare MODEL MODEL DATA`, or "
            f"`tfclf evaluate --server ADDRESS --model NAME DATA`."
        )
    if server is None and (model is not None or model_version is not None):
        raise InputError(
            "--model and --model-version name a model on a server; give its address with --server."
        )
    if compare and card is not None:
        raise InputError(
            f"--card {card} and --compare are given; "
            f"a card's figures stand beside those of one model."
        )


def _find_card(name: str | None) -> "Card | None":
    from tfclf.catalog.cards import find

    return None if name is None else find(name)


def _card_of(model: "Model") -> "Card | None":
    from tfclf.catalog.cards import find, is_name

    return next((find(name) for name in model.names if is_name(name)), None)


def _check_extras(output: Path | None, *, overwrite: bool) -> None:
    from tfclf.evaluation.metrics import require_sklearn
    from tfclf.evaluation.pages import require_jinja
    from tfclf.evaluation.plot import require_matplotlib

    require_sklearn()
    if output is not None:
        check_output(output, overwrite=overwrite)
        require_matplotlib()
        require_jinja()
