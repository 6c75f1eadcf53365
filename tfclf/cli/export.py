"""`tfclf export`, `tfclf show` and `tfclf verify`: make an export, read it, prove it."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf.catalog.resolve import find_export
from tfclf.cli.consoles import make_console
from tfclf.cli.options import Machine, TextColumns
from tfclf.cli.startup import start_to_make
from tfclf.cli.text_source import read_texts
from tfclf.data import Layout
from tfclf.errors import InputError
from tfclf.problem_types import REGRESSION
from tfclf.saved_model.certificate import describe_verdict

if TYPE_CHECKING:
    from tfclf.saved_model.certificate import Certificate
    from tfclf.saved_model.manifest import Manifest


_EXPORT_HELP = (
    "An exported model: the model's folder, or the folder of one version. "
    "Or the name of a card whose model is bundled."
)


def export(
    source: Annotated[
        str,
        typer.Argument(
            help="The folder of a Hugging Face checkpoint or KerasHub preset, a Spark NLP archive, "
            "a card's name, or a hub id."
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(help="The model's base path. Its name becomes the model's name.")
    ],
    version: Annotated[
        int | None,
        typer.Option(
            help="Version number. Give one if your deployment numbers versions itself.",
            show_default="the next free one",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="'lean' is fast; 'original' is the Hugging Face TF class itself. 'auto' takes "
            "lean, or original if lean cannot run the model."
        ),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="Number format of the arithmetic: 'float32', 'bfloat16', 'int8' or "
            "'int8_bfloat16'. bfloat16 is faster on processors that support it, and less exact; "
            "int8 is faster still, and needs --calibrate; what it leaves is float32, or bfloat16."
        ),
    ] = "float32",
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="For int8: a file of 200 or more texts like those that the model will see. Ranges "
            "of its numbers are measured on up to 512 of them.",
            show_default=False,
        ),
    ] = None,
    text_column: TextColumns = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Number format of the large weights in the file. 'float16' halves its size, and "
            "rounds the weights.",
            show_default="the precision",
        ),
    ] = None,
    xla_warm_up: Annotated[
        bool,
        typer.Option(
            "--xla-warm-up",
            help="Make a server compile the usual programs of serving_xla before it serves. Set it "
            "to serve with XLA on a GPU; starting then takes longer.",
        ),
    ] = False,
    machine: Machine = False,
) -> None:
    """Write a checkpoint as a SavedModel that takes strings.

    Example: `tfclf export my_checkpoint saved_models/news`
    """
    texts = None
    if calibrate is not None:
        texts = list(read_texts(calibrate, Layout(text=tuple(text_column or ()))))
    elif text_column:
        raise InputError("--text-column is for the file of --calibrate, and none is given.")
    start_to_make("tfclf export")
    from tfclf.exporter import export as write

    path = write(
        source,
        folder,
        version=version,
        engine=engine,
        precision=precision,
        storage=storage,
        xla_warm_up=xla_warm_up,
        calibration_texts=texts,
    )
    if machine:
        typer.echo(json.dumps({"path": str(path)}))
    else:
        typer.echo(f"{path}  ({_size(path) / 1e6:,.1f} MB)")
        typer.echo(f"Next: tfclf verify {path} --source {source}", err=True)


def show(
    model: Annotated[str, typer.Argument(help=_EXPORT_HELP)],
    machine: Machine = False,
) -> None:
    """Print what an export says about itself: labels, limits, versions, signatures, certificate.

    Example: `tfclf show saved_models/news`
    """
    from tfclf.saved_model.manifest import Manifest
    from tfclf.saved_model.signatures import read_signatures
    from tfclf.saved_model.versions import find_siblings, latest_version

    chosen = latest_version(find_export(model))
    version = chosen.folder
    manifest = Manifest.read(version)
    siblings = find_siblings(chosen)
    signatures = read_signatures(version)
    if machine:
        content = {
            **manifest.to_dict(),
            "path": str(version),
            "version": chosen.number,
            "other_versions": [number for number in siblings if number != chosen.number],
            "signatures": {name: asdict(signature) for name, signature in signatures.items()},
        }
        typer.echo(json.dumps(content, ensure_ascii=False))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    weights = f"weights stored as {manifest.storage}"
    for key, value in (
        ("model", f"{manifest.name}, {version}"),
        ("version", _describe_versions(chosen.number, siblings)),
        ("family", f"{manifest.family}, {manifest.problem_type.replace('_', ' ')}"),
        ("engine", f"{manifest.engine}, {manifest.precision} ({weights})"),
        *_describe_int8(manifest),
        ("labels", ", ".join(manifest.labels)),
        ("max_length", f"{manifest.max_length} tokens"),
        ("calibration", _describe_calibration(manifest)),
        ("XLA", _describe_buckets(manifest)),
        ("size", f"{_size(version) / 1e6:,.1f} MB"),
        ("made with", ", ".join(f"{name} {number}" for name, number in manifest.versions.items())),
        ("TF Serving", manifest.serving_versions),
        ("signatures", "\n".join(f"{name}{one}" for name, one in signatures.items())),
        ("certificate", _summarize(manifest.certificate)),
    ):
        table.add_row(key, Text(value))
    make_console(highlight=False).print(table)


def verify(
    export: Annotated[str, typer.Argument(help=_EXPORT_HELP)],
    source: Annotated[
        str,
        typer.Option(help="The original of the export: a folder, a card's name or a hub id."),
    ],
    texts: Annotated[
        Path | None,
        typer.Option(
            help="File of texts: .txt (one per line), .csv, .jsonl or .parquet. Give one to prove "
            "the export on texts like yours.",
            show_default="built-in ones",
        ),
    ] = None,
    text_column: TextColumns = None,
    limit: Annotated[
        int | None,
        typer.Option(
            help="Maximum number of texts to compare. Set it if the file is long: the original is "
            "slow.",
            min=1,
            show_default="all of them",
        ),
    ] = None,
    machine: Machine = False,
) -> None:
    """Run the original tokenizer and TF class beside an export; exit code 1 if they differ.

    An int8 export is never called equal. For it the code is 1 if tokens differ, or more than 1 % of
    the labels (5 % without --texts: most built-in texts are hostile strings).

    The result is stored in the export. One that differs does not replace a certificate that says
    equal to another source.

    Example: `tfclf verify saved_models/news --source my_checkpoint`
    """
    start_to_make("tfclf verify")
    from tfclf.verifier import verify as compare

    chosen = None
    if texts is not None:
        layout = Layout(text=tuple(text_column or ()))
        chosen = itertools.islice(read_texts(texts, layout), limit)
    certificate = compare(find_export(export), source, chosen, progress=not machine)
    if machine:
        typer.echo(json.dumps(certificate.to_dict(), ensure_ascii=False))
    else:
        typer.echo(_summarize(certificate.to_dict()))
        _print_differences(certificate)
        if not certificate.stored:
            typer.echo(
                "The export keeps its certificate, which says equal to another source. If that "
                f"source was right, this one is wrong: {source}",
                err=True,
            )
    if not certificate.agrees:
        raise typer.Exit(1)


def _describe_versions(number: int, all_of_them: Sequence[int]) -> str:
    """Describe a version and those beside it.

    >>> _describe_versions(2, [1, 2, 10])
    '2; beside it 1, 10 (a server of the folder serves 10)'
    """
    others = [other for other in all_of_them if other != number]
    if not others:
        return f"{number}, the only one"
    latest = max(all_of_them)
    served = "the latest" if latest == number else f"a server of the folder serves {latest}"
    return f"{number}; beside it {', '.join(map(str, others))} ({served})"


def _describe_calibration(manifest: "Manifest") -> str:
    """Describe temperature and thresholds, and what they brought."""
    if manifest.problem_type == REGRESSION:
        return "none: a regression has no probabilities"
    if manifest.temperature is None:
        return "none: an older tfclf exported it"
    record = manifest.calibration
    if not record:
        return "none: run `tfclf calibrate`"
    before, after = (record[when]["expected_calibration_error"] for when in ("before", "after"))
    lines = [
        f"temperature {manifest.temperature:.4f}, fitted to {record['fitted_rows']:,} rows of "
        f"{record['from']}; calibration error {before:.4f} before and {after:.4f} after, on "
        f"{record['measured_rows']:,} other rows; {record['made']}"
    ]
    if manifest.thresholds:
        by_label = (f"{label} {value:.4f}" for label, value in manifest.thresholds.items())
        lines.append(f"thresholds {', '.join(by_label)}")
    return "\n".join(lines)


def _describe_int8(manifest: "Manifest") -> list[tuple[str, str]]:
    """Describe the numbers of an int8 export and what it needs; no row for others."""
    record = manifest.quantization
    if not record:
        return []
    from tfclf.saved_model.manifest import INT8_RESTS

    rest = INT8_RESTS[manifest.precision]
    kept = record[f"products_in_{rest}"]
    products = (
        f"{record['products_in_int8']} products, ranges measured on {record['texts']:,} texts; "
        f"{len(kept)} in {rest}: {', '.join(kept) or 'none'}"
    )
    needs = ", ".join(f"{name} {value}" for name, value in manifest.requires.items())
    return [("int8", products), ("needs", needs)]


def _describe_buckets(manifest: "Manifest") -> str:
    ladder = manifest.ladder
    if ladder is None:
        return "none: exports of the lean engine in floats have the signature serving_xla"
    lengths = ", ".join(map(str, ladder.lengths))
    batches = ", ".join(map(str, ladder.batch_sizes))
    return f"serving_xla: rows padded to {lengths} tokens, batches to {batches}"


def _summarize(certificate: Any) -> str:
    if not certificate:
        return "none: run `tfclf verify`"
    tolerance = certificate["tolerance"]
    verdict = describe_verdict(certificate).replace("differs", "DIFFERS")
    allowed = "no tolerance" if tolerance is None else f"tolerance {tolerance:.0e}"
    return (
        f"{verdict} the original ({certificate['reference']}): "
        f"{certificate['rows']:,} texts and {certificate['pairs']:,} pairs, "
        f"{certificate['token_mismatches']} rows of other tokens, "
        f"{certificate['label_mismatches']} other labels, "
        f"largest logit difference {certificate['largest_logit_difference']:.1e} "
        f"({allowed})"
        + ("" if certificate["labels_equal"] else "; the labels' names or order differ")
        + f"; {certificate['made']}"
        + _describe_carrying(certificate)
        + _describe_agreement(certificate)
    )


def _describe_carrying(certificate: Mapping[str, Any]) -> str:
    base = certificate.get("carried_from")
    return f"; made for {base}, whose graph and weights this calibrated copy has" if base else ""


def _describe_agreement(certificate: Mapping[str, Any]) -> str:
    """Describe the agreement of each precision with the original, one line each.

    Return nothing if there is float32 alone, or for a certificate made by an older version.
    """
    agreement: Mapping[str, Mapping[str, Any]] = certificate.get("agreement") or {}
    if set(agreement) <= {"float32"}:
        return ""
    lines = []
    for precision, one in agreement.items():
        parts = [f"logits within {one['largest_logit_difference']:.1e}"]
        if one["label_agreement"] is not None:
            parts = [
                f"{one['label_agreement']:.2%} of the labels",
                f"probabilities within {one['largest_probability_difference']:.1e}",
                *parts,
            ]
        rows = f"{one['rows']:,} {certificate['texts']} texts"
        lines.append(f"\n{precision} beside the original, on {rows}: {', '.join(parts)}")
    return "".join(lines)


def _print_differences(certificate: "Certificate") -> None:
    for difference in certificate.differences:
        typer.echo(f"row {difference.row}, {difference.what}: {difference.text[:80]!r}")
        typer.echo(f"  original: {_shorten(difference.expected)}")
        typer.echo(f"  export:   {_shorten(difference.found)}")


def _shorten(value: Any) -> str:
    words = str(value)
    return words if len(words) <= 200 else words[:197] + "..."


def _size(folder: Path) -> int:
    """Return the size of all files below a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
