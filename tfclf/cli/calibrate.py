"""`tfclf calibrate`."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfclf.cli.evaluate.output import check_output, print_json, write_report
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
from tfclf.cli.startup import start_to_make
from tfclf.cli.tables import print_calibration
from tfclf.errors import InputError
from tfclf.problem_types import MULTI_LABEL
from tfclf.saved_model.certificate import agrees

if TYPE_CHECKING:
    from tfclf.data import LabelledRows, Layout
    from tfclf.saved_model.manifest import Manifest


def calibrate(
    model: Annotated[
        str,
        typer.Argument(
            help="An exported model: the model's folder, or the folder of one version. Or the name "
            "of a card whose model is bundled."
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="ROWS",
            help="Labelled rows that the model was not trained on: .csv, .tsv, .jsonl, .ndjson, "
            ".json (all also .gz), .parquet, or - for standard input.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Base path of the new export. The model's own takes a new version beside the old "
            "one.",
        ),
    ],
    version: Annotated[
        int | None,
        typer.Option(
            help="Version number. Give one if your deployment numbers versions itself.",
            show_default="the next free one",
        ),
    ] = None,
    evaluate_on: Annotated[
        Path | None,
        typer.Option(
            help="Other labelled rows to measure on. Give them if there are such rows: all of ROWS "
            "are then fitted to.",
            show_default="half of ROWS",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="The original of the export, to verify the new one anew.",
            show_default="the certificate is carried over",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Folder to write report.html, report.md, calibration.json and the reliability "
            "diagrams to.",
            show_default="only print",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the report that --report holds already."),
    ] = False,
    data_set: Annotated[
        str | None,
        typer.Option(
            help="Data set of the rows: ag_news, imdb or allocine. Numbers then count its labels."
        ),
    ] = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    delimiter: Delimiter = None,
    file_format: Format = None,
    label_base: LabelBase = None,
    seed: Annotated[
        int,
        typer.Option(help="Seed of the draw that halves ROWS. Change it to see how much varies."),
    ] = 0,
    batch_size: BatchSize = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Write an export again, with probabilities that say how often they are right.

    A temperature divides the logits before softmax or sigmoid; it never changes a label. A
    multi-label model also gets a threshold for each label, for `tfclf predict --threshold
    calibrated`. The figures before and after are measured on rows that nothing was fitted to.

    Example: `tfclf calibrate saved_models/news validation.csv --output saved_models/news`

    Exit codes: 0 done; 1 --source differs from the new export; 2 an error.
    """
    from tfclf.catalog.resolve import find_export
    from tfclf.cli.evaluate.rows import check_rows, keep_rows
    from tfclf.data.lines import is_standard_input, name_of
    from tfclf.evaluation.metrics import require_sklearn
    from tfclf.saved_model.manifest import Manifest
    from tfclf.saved_model.versions import latest_version

    require_sklearn()
    if report is not None:
        _check_report(report, overwrite=overwrite)
    if evaluate_on is not None and is_standard_input(evaluate_on):
        raise InputError(
            "--evaluate-on is standard input. Expected a file; ROWS may be standard input."
        )
    layout = layout_of(
        text_column, label_column, header, label_base, delimiter, file_format=file_format
    )
    chosen = latest_version(find_export(model))
    manifest = Manifest.read(chosen.folder)
    with ExitStack() as opened:
        place = Path(name_of(data))
        data = opened.enter_context(keep_rows(data, layout))
        files = [data] if evaluate_on is None else [data, evaluate_on]
        for file in files:
            check_rows(file, layout, named=data_set)
        start_to_make("tfclf calibrate")
        from tfclf.calibrator import calibrate as run
        from tfclf.calibrator.run import check_calibratable

        check_calibratable(manifest, chosen.folder)  # before the rows are read
        rows = [_read_rows(file, manifest, layout, data_set) for file in files]
        done = run(
            chosen.folder,
            rows[0],
            output,
            evaluate_on=rows[1] if len(rows) == 2 else None,
            source=source,
            version=version,
            seed=seed,
            batch_size=batch_size,
            xla=xla,
            progress=not machine,
        )
    from tfclf.calibrator.report import CALIBRATION_FILES
    from tfclf.evaluation.provenance import describe, facts_of

    about = describe(
        (facts_of(manifest, source=str(chosen.folder), version=chosen.number),),
        data=str(place if evaluate_on is None else evaluate_on),
        rows=done.samples,
        tensorflow=True,
        numbers=rows[-1].numbers,
    )
    if machine:
        print_json(done.to_dict(about))
    else:
        print_calibration(done, title=f"{chosen.folder} on {place}")
    title = f"{manifest.name}, calibrated on {place.name}"
    write_report(report, partial(done.write, title=title, about=about), option="--report")
    if not machine:
        if report is not None:
            typer.echo(f"Written to {report}: {', '.join(CALIBRATION_FILES)}")
        typer.echo(f"{done.path}")
    if source is not None and not (done.certificate and agrees(done.certificate)):
        typer.echo(f"The new export differs from {source}: see tfclf show {done.path}", err=True)
        raise typer.Exit(1)


def _read_rows(
    data: Path, manifest: "Manifest", layout: "Layout", data_set: str | None
) -> "LabelledRows":
    from tfclf.cli.evaluate.rows import multi_label_rows_of, rows_of

    if manifest.problem_type != MULTI_LABEL:
        return rows_of(data, manifest.labels, layout, named=data_set, card=None)
    return multi_label_rows_of(data, manifest.labels, layout, model=manifest.name)


def _check_report(folder: Path, *, overwrite: bool) -> None:
    from tfclf.calibrator.report import CALIBRATION_FILES
    from tfclf.evaluation.pages import require_jinja
    from tfclf.evaluation.plot import require_matplotlib

    check_output(folder, overwrite=overwrite, option="--report", files=CALIBRATION_FILES)
    require_matplotlib()
    require_jinja()
