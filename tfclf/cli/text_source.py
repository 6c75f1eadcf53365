"""Texts for a command: from its arguments, a file or standard input, one at a time."""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from tfclf.data import Layout, read_rows
from tfclf.data.lines import format_of, is_standard_input, name_of, read_lines_without_ends
from tfclf.errors import DataError, InputError

STANDARD_INPUT = Path("-")
_WITH_COLUMNS = (
    "--file with a .csv, .tsv, .json, .jsonl or .parquet file, or --format for rows on standard "
    "input"
)
# Files above this size are not read once more only to count their rows.
_LARGEST_COUNTED = 2**30
_Row = TypeVar("_Row")
Row = tuple[str, ...]  # a text, or a text and its pair


def rows_from(
    texts: Sequence[str], pairs: Sequence[str], file: Path | None, layout: Layout
) -> tuple[Iterable[Row], bool]:
    """Return the rows of a command, and whether they are pairs; raises as the functions below."""
    if pairs or layout.pair is not None:
        return pairs_from(texts, pairs, file, layout), True
    return ((text,) for text in texts_from(texts, file, layout)), False


def split_columns(rows: Iterator[Row], count: int) -> list[Iterator[str]]:
    """Split rows into their first texts, and their second ones if `count` is 2.

    Read side by side, they hold no more rows than the reader does.
    """
    copies = itertools.tee(rows, count)
    return [map(itemgetter(index), copy) for index, copy in enumerate(copies)]


def texts_from(arguments: Sequence[str], file: Path | None, layout: Layout) -> Iterable[str]:
    """Return the texts of the arguments, of the file, or else of standard input.

    Raises: InputError if none is given, or both; DataError for a file that cannot be read, at once
      if its first row cannot, or else while reading.
    """
    if arguments and file:
        raise InputError(f"both texts and --file {file} are given; expected one of the two.")
    if arguments:
        _refuse_columns(layout, "texts given as arguments have no columns")
        if layout.format is not None:
            raise InputError(
                "--format and texts are given; a format is that of --file or of standard input."
            )
        return list(arguments)
    if file is None and sys.stdin.isatty():
        raise InputError(
            "no text is given. Give it as an argument, with --file FILE, or on standard input, "
            "one text per line."
        )
    source = file or STANDARD_INPUT
    texts = read_texts(source, layout)
    # Lines on standard input have no error to find early, and may come only when asked for.
    if is_standard_input(source) and _is_text(source, layout):
        return texts
    return read_first(texts)


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
    source = file or STANDARD_INPUT
    if _is_text(source, layout):
        raise InputError(
            f"--pair-column {layout.pair} names a column, and {name_of(source)} has none; "
            f"expected {_WITH_COLUMNS}."
        )
    rows = read_rows(source, layout, labelled=False)
    return read_first((row.text, row.pair or "") for row in rows)


def read_texts(file: Path, layout: Layout) -> Iterator[str]:
    """Read texts, one per line or one per row.

    Standard input and .txt have lines, unless `layout.format` says otherwise.
    """
    if not _is_text(file, layout):
        return (row.text for row in read_rows(file, layout, labelled=False))
    _refuse_columns(layout, f"{name_of(file)} has one text per line and no columns")
    return read_lines_without_ends(file)


def read_first(rows: Iterator[_Row]) -> Iterator[_Row]:
    """Read the first row now, so that an error in the file's beginning comes at once."""
    return itertools.chain(list(itertools.islice(rows, 1)), rows)


def count_rows(file: Path | None, layout: Layout) -> int | None:
    """Count the texts of a file by reading it once; None if it is large, broken or no file."""
    # Standard input may be a file as well; what is read from it here would be lost.
    if file is None or is_standard_input(file) or not file.is_file():
        return None
    if file.stat().st_size > _LARGEST_COUNTED:
        return None
    try:
        return sum(1 for _ in read_texts(file, layout))
    except DataError:
        return None  # the prediction meets the same error, after the rows before it


def _is_text(file: Path, layout: Layout) -> bool:
    if layout.format is not None:
        return layout.format == "txt"
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
            f"{given[0]} is given, and {problem}. Expected {_WITH_COLUMNS}; or leave it out."
        )
