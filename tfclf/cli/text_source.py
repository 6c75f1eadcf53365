"""Texts for a command: from its arguments, a file or standard input, one at a time."""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tfclf.data import Layout, read_rows
from tfclf.data.lines import format_of, is_standard_input, read_lines_without_ends
from tfclf.errors import DataError, InputError

STANDARD_INPUT = Path("-")
# Files above this size are not read once more only to count their rows.
_LARGEST_COUNTED = 2**30
_Row = TypeVar("_Row")


def texts_from(arguments: Sequence[str], file: Path | None, layout: Layout) -> Iterable[str]:
    """Return the texts of the arguments, of the file, or else of standard input.

    Raises: InputError if none is given, or both; DataError for a file that cannot be read, at once
      if its first row cannot, or else while reading.
    """
    if arguments and file:
        raise InputError(f"both texts and --file {file} are given; expected one of the two.")
    if arguments:
        _refuse_columns(layout, "texts given as arguments have no columns")
        return list(arguments)
    if file and not is_standard_input(file):
        return read_first(read_texts(file, layout))
    if file is None and sys.stdin.isatty():
        raise InputError(
            "no text is given. Give it as an argument, with --file FILE, or on standard input, "
            "one text per line."
        )
    return read_texts(STANDARD_INPUT, layout)


def pairs_from(
    texts: Sequence[str], pairs: Sequence[str], file: Path | None, layout: Layout
) -> Iterator[tuple[str, str]]:
    """Return texts with their second texts: both as arguments, or both columns of a file.

    Raises: InputError if they are neither, or if their numbers differ; DataError as `texts_from`.
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
    if file is None or _is_text(file):
        raise InputError(
            f"--pair-column {layout.pair} names a column, and {file or 'standard input'} has none; "
            f"expected --file with a .csv, .tsv, .json, .jsonl or .parquet file."
        )
    rows = read_rows(file, layout, labelled=False)
    return read_first((row.text, row.pair or "") for row in rows)


def read_texts(file: Path, layout: Layout) -> Iterator[str]:
    """Read texts from a .txt file or standard input, one per line, or from a file of rows."""
    if not _is_text(file):
        return (row.text for row in read_rows(file, layout, labelled=False))
    place = "standard input" if is_standard_input(file) else str(file)
    _refuse_columns(layout, f"{place} has one text per line and no columns")
    return read_lines_without_ends(file)


def read_first(rows: Iterator[_Row]) -> Iterator[_Row]:
    """Read the first row now, so that an error in the file's beginning comes at once."""
    return itertools.chain(list(itertools.islice(rows, 1)), rows)


def count_rows(file: Path | None, layout: Layout) -> int | None:
    """Count the texts of a file by reading it once; None if it is large, broken or no file."""
    if file is None or not file.is_file() or file.stat().st_size > _LARGEST_COUNTED:
        return None
    try:
        return sum(1 for _ in read_texts(file, layout))
    except DataError:
        return None  # the prediction meets the same error, after the rows before it


def _is_text(file: Path) -> bool:
    return is_standard_input(file) or format_of(file) == ".txt"


def _refuse_columns(layout: Layout, problem: str) -> None:
    options = {
        "--text-column": layout.text,
        "--header or --no-header": layout.header is not None,
        "--delimiter": layout.delimiter,
    }
    given = [name for name, value in options.items() if value]
    if given:
        raise InputError(
            f"{given[0]} is given, and {problem}. Expected --file with a .csv, .tsv, .json, .jsonl "
            f"or .parquet file; or leave the option out."
        )
