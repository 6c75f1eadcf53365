"""`tfclf export`, `tfclf show` and `tfclf verify`: making an export, reading it, proving it."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf._tensorflow import quiet_start
from tfclf.catalog.resolve import find_export
from tfclf.cli.options import Machine, TextColumns
from tfclf.cli.text_source import texts_in
from tfclf.data import Layout

if TYPE_CHECKING:
    from tfclf.saved_model.buckets import Ladder
    from tfclf.saved_model.certificate import Certificate


def export(
    source: Annotated[
        str,
        typer.Argument(
            help="The folder of a Hugging Face checkpoint or KerasHub preset, a Spark NLP archive, a card's "
            "name, or a hub id."
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="The model's base path; its name is the model's.")],
    version: Annotated[
        int | None, typer.Option(help="Version number.", show_default="the next free one")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="'lean' (fast), 'original' (the Hugging Face TF class), or 'auto': lean, but original where lean "
            "cannot run the model."
        ),
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="Of the arithmetic: 'float32' or 'bfloat16'.")
    ] = "float32",
    storage: Annotated[
        str | None,
        typer.Option(
            help="Of the large weights in the file, e.g. 'float16'.", show_default="the precision"
        ),
    ] = None,
    xla_warm_up: Annotated[
        bool,
        typer.Option(
            "--xla-warm-up",
            help="Let a server compile serving_xla's usual programs before it serves; for GPUs.",
        ),
    ] = False,
    machine: Machine = False,
) -> None:
    """Writes a checkpoint as a SavedModel that takes strings.

    Example: `tfclf export my_checkpoint saved_models/news`
    """
    with quiet_start():
        from tfclf.exporter import export as write

    path = write(
        source,
        folder,
        version=version,
        engine=engine,
        precision=precision,
        storage=storage,
        xla_warm_up=xla_warm_up,
    )
    if machine:
        typer.echo(json.dumps({"path": str(path)}))
    else:
        typer.echo(f"{path}  ({_size(path) / 1e6:,.1f} MB)")
        typer.echo(f"Next: tfclf verify {path} --source {source}", err=True)


def show(
    model: Annotated[
        str,
        typer.Argument(
            help="An exported model: the model's folder, or one version's; or a card, if bundled."
        ),
    ],
    machine: Machine = False,
) -> None:
    """Prints what an export says of itself: labels, limits, versions, certificate.

    Example: `tfclf show saved_models/news`
    """
    from tfclf.saved_model.manifest import Manifest
    from tfclf.saved_model.versions import latest_version

    version = latest_version(find_export(model)).folder
    manifest = Manifest.read(version)
    if machine:
        typer.echo(json.dumps(manifest.to_dict() | {"path": str(version)}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for key, value in (
        ("model", f"{manifest.name}, {version}"),
        ("family", f"{manifest.family}, {manifest.problem_type.replace('_', ' ')}"),
        (
            "engine",
            f"{manifest.engine}, {manifest.precision} (weights stored as {manifest.storage})",
        ),
        ("labels", ", ".join(manifest.labels)),
        ("max_length", f"{manifest.max_length} tokens"),
        ("XLA", _ladder(manifest.ladder)),
        ("size", f"{_size(version) / 1e6:,.1f} MB"),
        ("made with", ", ".join(f"{name} {number}" for name, number in manifest.versions.items())),
        ("TF Serving", manifest.serving_versions),
        ("certificate", _summary(manifest.certificate)),
    ):
        table.add_row(f"[bold]{key}[/]", value)
    Console().print(table)


def verify(
    export: Annotated[
        str,
        typer.Argument(
            help="An exported model: the model's folder, or one version's; or a card, if bundled."
        ),
    ],
    source: Annotated[
        str, typer.Option(help="What it came from: a folder, a card's name or a hub id.")
    ],
    texts: Annotated[
        Path | None,
        typer.Option(
            help="Texts: .txt (a line each), .csv, .jsonl or .parquet.",
            show_default="built-in ones",
        ),
    ] = None,
    text_column: TextColumns = None,
    limit: Annotated[int | None, typer.Option(help="At most that many texts.", min=1)] = None,
    machine: Machine = False,
) -> None:
    """Runs the original tokenizer and TF class beside an export; exit code 1 if they differ.

    Example: `tfclf verify saved_models/news --source my_checkpoint`
    """
    with quiet_start():
        from tfclf.verifier import verify as compare

    given = texts_in(texts, Layout(text=tuple(text_column or ()))) if texts else None
    certificate = compare(
        find_export(export),
        source,
        itertools.islice(given, limit) if given is not None else None,
        progress=not machine,
    )
    if machine:
        typer.echo(json.dumps(certificate.to_dict(), ensure_ascii=False))
    else:
        typer.echo(_summary(certificate.to_dict()))
        _print_differences(certificate)
    if not certificate.equal:
        raise typer.Exit(1)


def _ladder(ladder: "Ladder | None") -> str:
    if ladder is None:
        return "none: exports of the lean engine have the signature serving_xla"
    lengths, batches = (
        ", ".join(map(str, sizes)) for sizes in (ladder.lengths, ladder.batch_sizes)
    )
    return f"serving_xla: rows padded to {lengths} tokens, batches to {batches}"


def _summary(certificate: Any) -> str:
    if not certificate:
        return "none: run `tfclf verify`"
    return (
        f"{'equal to' if certificate['equal'] else 'DIFFERS from'} the original ({certificate['reference']}): "
        f"{certificate['rows']:,} texts and {certificate['pairs']:,} pairs, "
        f"{certificate['token_mismatches']} rows of other tokens, {certificate['label_mismatches']} other labels, "
        f"largest logit difference {certificate['largest_logit_difference']:.1e} "
        f"(tolerance {certificate['tolerance']:.0e})"
        + ("" if certificate["labels_equal"] else "; the labels' names or order differ")
        + f"; {certificate['made']}"
        + _agreement(certificate)
    )


def _agreement(certificate: Mapping[str, Any]) -> str:
    """How near each precision stays, a line each; nothing where there is float32 alone, or an older certificate."""
    found: Mapping[str, Mapping[str, Any]] = certificate.get("agreement") or {}
    if set(found) <= {"float32"}:
        return ""
    lines = []
    for precision, one in found.items():
        parts = [f"logits within {one['largest_logit_difference']:.1e}"]
        if one["label_agreement"] is not None:
            parts = [
                f"{one['label_agreement']:.2%} of the labels",
                f"probabilities within {one['largest_probability_difference']:.1e}",
                *parts,
            ]
        lines.append(
            f"\n{precision} beside the original, on {one['rows']:,} {certificate['texts']} texts: "
        )
        lines[-1] += ", ".join(parts)
    return "".join(lines)


def _print_differences(certificate: "Certificate") -> None:
    for difference in certificate.differences:
        typer.echo(f"row {difference.row}, {difference.what}: {difference.text[:80]!r}")
        typer.echo(f"  original: {_short(difference.expected)}")
        typer.echo(f"  export:   {_short(difference.found)}")


def _short(value: Any) -> str:
    shown = str(value)
    return shown if len(shown) <= 200 else shown[:197] + "..."


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
