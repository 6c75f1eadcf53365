"""Files and standard input to lines of text: gzip, byte order marks, UTF-8 and UTF-16."""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from tfclf.errors import DataError

# UTF-32 first: the mark of its little-endian form begins with that of UTF-16.
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8"),
)
_LONGEST_MARK = 4
_MARK = "\ufeff"  # a program that adds one to a file that has one leaves two
_STANDARD_INPUT = ("-", "/dev/stdin")
# The first bytes of files that hold no text; what they are, and what to do.
_NO_TEXT = tuple(
    (re.compile(magic, re.DOTALL), what, way_out)
    for magic, what, way_out in (
        (rb"\x1f\x8b", "compressed with gzip", "unpack it with gunzip, or add .gz to its name"),
        (rb"BZh[1-9]1AY&SY", "compressed with bzip2", "unpack it with bunzip2"),
        (rb"\xfd7zXZ\x00", "compressed with xz", "unpack it with unxz"),
        (rb"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it with unzstd"),
        (rb"PK\x03\x04", "a zip, as an .xlsx is", "unpack it, or save the sheet as CSV"),
        (rb"\xd0\xcf\x11\xe0", "an old file of Office, as an .xls is", "save the sheet as CSV"),
        (rb"PAR1[^ -~\s]", "Parquet", "give it a name that ends in .parquet"),
        (rb"ARROW1\x00", "Arrow's own (Feather)", "save the table as Parquet"),
        (rb"SQLite format 3\x00", "a SQLite database", "save the table as CSV"),
    )
)


def is_standard_input(path: Path) -> bool:
    """Return whether the path stands for standard input.

    >>> is_standard_input(Path("-")), is_standard_input(Path("rows.csv"))
    (True, False)
    """
    return str(path) in _STANDARD_INPUT


def name_of(path: Path) -> str:
    """Return what messages call a file.

    >>> name_of(Path("-")), name_of(Path("data/rows.csv"))
    ('standard input', 'data/rows.csv')
    """
    return "standard input" if is_standard_input(path) else str(path)


def format_of(path: Path) -> str:
    """Return the suffix that names the format, in lower case: the last one before .gz.

    >>> format_of(Path("Rows.CSV.gz")), format_of(Path("news.csv.jsonl")), format_of(Path("rows"))
    ('.csv', '.jsonl', '')
    """
    return path.with_suffix("").suffix.lower() if is_compressed(path) else path.suffix.lower()


def is_compressed(path: Path) -> bool:
    """Return whether the file's name says that it is compressed with gzip."""
    return path.suffix.lower() == ".gz"


def refuse_no_file(path: Path) -> None:
    """Check that there is such a file. Raises: DataError."""
    if path.is_dir():
        raise DataError(f"{path} is a folder. Expected a file of rows; check the path.")
    if not path.exists():
        raise DataError(f"{path} does not exist. Expected a file of rows; check the path.")


def refuse_pipe(path: Path) -> None:
    """Check that a file can be read more than once. Raises: DataError for a pipe or a device."""
    if is_standard_input(path) or (path.exists() and not path.is_file() and not path.is_dir()):
        raise DataError(
            f"{name_of(path)} is a pipe or a device, which can be read once, and its rows are read "
            f"more than once. Expected a file; write the rows to one first."
        )


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file or of standard input, with their line ends.

    UTF-16 and UTF-32 are recognised by their byte order mark; other files are UTF-8. The mark is no
    part of the first line.

    Raises: DataError, which names the line that cannot be read.
    """
    place = name_of(path)
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(_decode(file, place), 1):
                text = line.lstrip(_MARK) if number == 1 else line
                if text:  # not the line of a file that holds a mark alone
                    yield text
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: after line {number} its bytes are not {error.encoding}, which its first "
            f"bytes announce ({error.reason}). Expected a whole file; save it as UTF-8."
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if number == 0 and isinstance(error, gzip.BadGzipFile):
            raise DataError(
                f"{path} ends in .gz and is not compressed with gzip ({error}). Expected a gzip "
                f"file; take .gz off its name if it was unpacked."
            ) from error
        raise DataError(
            f"{path} ({path.stat().st_size:,} bytes) breaks off after line {number}: {error}. "
            f"Expected a whole gzip file; copy it again."
        ) from error
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error


def read_lines_without_ends(path: Path) -> Iterator[str]:
    """Yield the lines of a file or of standard input, each a text.

    Raises: as `read_lines`; DataError if carriage returns end the lines, as on old Macs: all of
      them would be one text.
    """
    for number, line in enumerate(read_lines(path), 1):
        text = line.rstrip("\r\n")
        if number == 1 and "\r" in text and not line.endswith("\n"):
            raise DataError(
                f"{name_of(path)}: found carriage returns and no line feed. Expected line feeds at "
                f"the ends of lines; if carriage returns stand there, as on old Macs, convert the "
                f"file with: tr '\\r' '\\n'"
            )
        yield text


@contextmanager
def _open(path: Path) -> Iterator[io.BufferedReader]:
    if is_standard_input(path):
        stream = sys.stdin.buffer
        if isinstance(stream, io.BufferedReader):
            yield stream
            return
        # Some other binary stream, as a program that replaces standard input may leave there.
        yield io.BufferedReader(io.BytesIO(stream.read()))
        return
    file: IO[bytes] = path.open("rb")
    with file:
        # A GzipFile has everything of a BufferedReader that is used here.
        yield cast(io.BufferedReader, gzip.GzipFile(fileobj=file) if is_compressed(path) else file)


def _decode(file: io.BufferedReader, place: str) -> Iterator[str]:
    head = file.peek(_LONGEST_MARK)
    _refuse_no_text(head, place)
    encoding = _find_encoding(head)
    if encoding.startswith(("utf-16", "utf-32")):
        # Lines end at \n alone, as those of the bytes of UTF-8 do.
        text = io.TextIOWrapper(file, encoding, newline="\n")
        try:
            yield from text
        finally:
            text.detach()  # otherwise it closes the file, which may be standard input
        return
    _refuse_unmarked_utf16(head, place)
    for number, line in enumerate(file, 1):
        try:
            # Line by line, so that an error can name the line.
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(error, f"{place}, line {number}", " of the line") from None


def decode(data: bytes) -> str:
    r"""Decode a whole file by its byte order mark, or else as UTF-8.

    >>> decode("café".encode("utf-16")), decode(b"\xef\xbb\xbfcafe")
    ('café', 'cafe')

    Raises: UnicodeDecodeError.
    """
    return data.decode(_find_encoding(data)).lstrip(_MARK)


def _find_encoding(head: bytes) -> str:
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


def _refuse_no_text(head: bytes, place: str) -> None:
    for magic, what, way_out in _NO_TEXT:
        if magic.match(head):
            raise DataError(
                f"{place}: its first bytes say that it is {what}. Expected text in UTF-8; "
                f"{way_out}."
            )


def _refuse_unmarked_utf16(head: bytes, place: str) -> None:
    for name, low, high in (("UTF-16LE", 0, 1), ("UTF-16BE", 1, 0)):
        letters, zeros = head[low:64:2], head[high:64:2]
        # Most, not all: a quote or a dash among Latin letters has a high byte, too.
        if len(zeros) >= 4 and all(letters) and zeros.count(0) >= 0.75 * len(zeros):
            raise DataError(
                f"{place}: nearly every second byte is zero, which looks like {name} without a "
                f"byte order mark. Expected UTF-8; convert it, for instance with: "
                f"iconv -f {name} -t UTF-8"
            )


def not_utf8(error: UnicodeDecodeError, place: str, of_what: str = "") -> DataError:
    """Return the error for bytes that are not UTF-8, with the conversion that fits them.

    The advice is Windows-1252: its printable characters hold those of Latin-1, and its quotes and
    dashes lie on bytes that Latin-1 reads as control characters, in silence.
    """
    byte = error.object[error.start]
    return DataError(
        f"{place}: byte {error.start + 1}{of_what}, 0x{byte:02x}, "
        f"is not UTF-8. Expected UTF-8, or UTF-16 with a byte order mark; convert it, for instance "
        f"from Windows' encoding of Western languages: iconv -f CP1252 -t UTF-8"
    )
