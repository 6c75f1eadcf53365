"""The output of `tfclf evaluate`: the folder of --output, the JSON, and the lines below a table."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tfclf.errors import InputError
from tfclf.files import nearest_existing

if TYPE_CHECKING:
    from tfclf.data import LabelledRows


def check_output(
    folder: Path,
    *,
    overwrite: bool = False,
    option: str = "--output",
    files: Sequence[str] | None = None,
) -> None:
    """Check that files can be written to the folder of --output, which need not exist yet.

    Args:
      overwrite: whether the folder may hold a report already.
      option: the option that names the folder, for messages.
      files: names of the files of a report; by default those of an evaluation or a comparison.

    Raises: InputError.
    """
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise InputError(
            f"{option} {folder}: {existing} is no folder. "
            f"Expected a folder, or a place to make one."
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"{option} {folder}: {existing} cannot be written to. "
            f"Give another folder, or the right to write there."
        )
    if files is None:
        from tfclf.evaluation.writing import COMPARISON_FILES, REPORT_FILES

        files = sorted({*REPORT_FILES, *COMPARISON_FILES})
    present = [name for name in files if (folder / name).exists()]
    if present and not overwrite:
        raise InputError(
            f"{option} {folder} holds a report already: {', '.join(present)}. "
            f"Name another folder, or replace the report with --overwrite."
        )


def write_report(
    folder: Path | None, write: Callable[[Path], None], *, option: str = "--output"
) -> None:
    """Write a report whose figures have been printed; nothing without a folder.

    Raises: InputError, with the folder, if the disk takes no more.
    """
    if folder is None:
        return
    try:
        write(folder)
    except OSError as error:
        raise InputError(
            f"{option} {folder} cannot be written: {error.strerror or error}. The figures are "
            f"printed above. Make room there, or name another folder."
        ) from error


def print_json(content: Mapping[str, Any]) -> None:
    """Print the content of a report on one line, for --json."""
    typer.echo(json.dumps(content, ensure_ascii=False))


def print_notes(rows: "LabelledRows", output: Path | None, files: Sequence[str]) -> None:
    """Print what a reader of the table must know besides: how numbers were read, what was written.

    Args:
      rows: the rows that were evaluated.
      output: the folder of --output, if it was given.
      files: the names of the files written there.
    """
    from tfclf.data.labels import describe_numbers

    if rows.numbers:
        typer.echo(describe_numbers(rows.numbers))
    if output is not None:
        typer.echo(f"Written to {output}: {', '.join(files)}")
