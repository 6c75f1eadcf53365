"""Texts for a command: its arguments, a file, or standard input; one at a time."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tfclf.data import Layout, read_rows
from tfclf.errors import DataError, InputError


def texts_from(arguments: Sequence[str], file: Path | None, layout: Layout) -> Iterable[str]:
    """A list where the texts are arguments, else an iterator.

    Raises: InputError where there is no text; DataError, as it reads, for what is not text.
    """
    if arguments and file:
        raise InputError(f"both texts and --file {file} are given; expected one of the two.")
    if arguments:
        return list(arguments)
    if file:
        return texts_in(file, layout)
    if sys.stdin.isatty():
        raise InputError(
            "no text is given. Give it as an argument, with --file FILE, or on standard input, a line each."
        )
    return _lines(sys.stdin.buffer, "standard input")


def texts_in(file: Path, layout: Layout) -> Iterator[str]:
    """The texts of a .txt file, a line each, or of a file of rows: .csv, .jsonl or .parquet."""
    if file.suffix != ".txt":
        for row in read_rows(file, layout, labelled=False):
            yield row.text
        return
    try:
        with file.open("rb") as lines:
            yield from _lines(lines, str(file))
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error


def _lines(lines: BinaryIO, place: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{place}, line {number}: byte {error.start + 1} is {line[error.start]:#04x}, which is not UTF-8. "
                f"Convert the text first, e.g. with: iconv -f latin1 -t utf-8"
            ) from None
