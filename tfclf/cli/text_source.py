"""Texts for a command: from its arguments, a file or standard input, one at a time."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tfclf.data import Layout, read_rows
from tfclf.errors import DataError, InputError


def texts_from(arguments: Sequence[str], file: Path | None, layout: Layout) -> Iterable[str]:
    """Return the texts of the arguments, of the file, or else of standard input.

    Raises: InputError if none is given, or both; DataError while reading, for bytes that are no
      text.
    """
    if arguments and file:
        raise InputError(f"both texts and --file {file} are given; expected one of the two.")
    if arguments:
        return list(arguments)
    if file:
        return read_texts(file, layout)
    if sys.stdin.isatty():
        raise InputError(
            "no text is given. Give it as an argument, with --file FILE, or on standard input, "
            "one text per line."
        )
    return _decode_lines(sys.stdin.buffer, "standard input")


def pairs_from(
    texts: Sequence[str], pairs: Sequence[str], file: Path | None, layout: Layout
) -> Iterator[tuple[str, str]]:
    """Return texts with their second texts: both as arguments, or both columns of a file.

    Raises: InputError if they are neither, or if their numbers differ; DataError while reading.
    """
    if pairs and (file or layout.pair is not None):
        raise InputError(
            "--pair is for texts given as arguments; "
            "in a file --pair-column names the column of pairs."
        )
    if pairs:
        if len(texts) != len(pairs):
            raise InputError(
                f"there are {len(texts)} texts and {len(pairs)} --pair; expected one per text."
            )
        return zip(texts, pairs, strict=True)
    if texts:
        raise InputError(
            "texts and --pair-column are given; "
            "give each text its --pair, or a --file with both columns."
        )
    if file is None or file.suffix == ".txt":
        raise InputError(
            f"--pair-column {layout.pair} names a column, and {file or 'standard input'} has none; "
            f"expected --file with a .csv, .jsonl or .parquet file."
        )
    return ((row.text, row.pair or "") for row in read_rows(file, layout, labelled=False))


def read_texts(file: Path, layout: Layout) -> Iterator[str]:
    """Read texts from a .txt file, one per line, or from a .csv, .jsonl or .parquet file."""
    if file.suffix != ".txt":
        for row in read_rows(file, layout, labelled=False):
            yield row.text
        return
    try:
        with file.open("rb") as lines:
            yield from _decode_lines(lines, str(file))
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error


def _decode_lines(lines: BinaryIO, place: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{place}, line {number}: byte {error.start + 1} is {line[error.start]:#04x}, "
                f"which is not UTF-8. Convert the text first, e.g. with: iconv -f latin1 -t utf-8"
            ) from None
