"""Files and standard input to lines of text: gzip, byte order marks, UTF-8 and UTF-16."""

import gzip
import io
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
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
_LONGEST_MARK = 4
_STANDARD_INPUT = ("-", "/dev/stdin")


def is_standard_input(path: Path) -> bool:
    """Return whether the path stands for standard input.

    >>> is_standard_input(Path("-")), is_standard_input(Path("rows.csv"))
    (True, False)
    """
    return str(path) in _STANDARD_INPUT


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


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file or of standard input, with their line ends.

    UTF-16 and UTF-32 are recognised by their byte order mark; other files are UTF-8. The mark is no
    part of the first line.

    Raises: DataError, which names the line that cannot be read.
    """
    place = "standard input" if is_standard_input(path) else str(path)
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(_decode(file, place), 1):  # noqa: B007
                yield line
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: after line {number} its bytes are not {error.encoding}, which its first "
            f"bytes announce ({error.reason}). Expected a whole file; save it as UTF-8."
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} ({path.stat().st_size:,} bytes) breaks off after line {number}: {error}. "
            f"Expected a whole gzip file; copy it again."
        ) from error
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error


def read_lines_without_ends(path: Path) -> Iterator[str]:
    """Yield the lines of a file or of standard input, each a text."""
    return (line.rstrip("\r\n") for line in read_lines(path))


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
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(error, f"{place}, line {number}", " of the line") from None


def decode(data: bytes) -> str:
    r"""Decode a whole file by its byte order mark, or else as UTF-8.

    >>> decode("café".encode("utf-16")), decode(b"\xef\xbb\xbfcafe")
    ('café', 'cafe')

    Raises: UnicodeDecodeError.
    """
    return data.decode(_find_encoding(data))


def _find_encoding(head: bytes) -> str:
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


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
