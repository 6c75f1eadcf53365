"""Hadoop SequenceFiles: the values of one, as bytes. A reader of our own, so that no JVM is needed.

Versions 5 and 6; records by themselves, compressed one by one, or compressed in blocks.
Source: Hadoop's org.apache.hadoop.io.SequenceFile and WritableUtils.
"""

import struct
import zlib
from collections.abc import Iterator

from tfclf.errors import CheckpointError

# What `saveAsObjectFile` of Spark writes; nothing else can stand in a Spark NLP model.
_KEY = "org.apache.hadoop.io.NullWritable"
_VALUE = "org.apache.hadoop.io.BytesWritable"
_CODECS = {
    "org.apache.hadoop.io.compress.DefaultCodec": zlib.MAX_WBITS,
    "org.apache.hadoop.io.compress.DeflateCodec": zlib.MAX_WBITS,
    "org.apache.hadoop.io.compress.GzipCodec": zlib.MAX_WBITS | 16,
}
_VERSIONS = (5, 6)
_SYNC_SIZE = 16
_LONGEST_NAME = 1_000
# Bytes that compressed parts of one file may grow to: a vocabulary of a million pieces takes a tenth of it.
_MOST_BYTES = 1 << 29


def values(content: bytes, *, origin: object) -> Iterator[bytes]:
    """The value of each record, in order.

    Args:
      content: the whole file; what is read never grows past a fixed limit.
      origin: how errors name the file.
    Raises: CheckpointError for what is no SequenceFile of NullWritable and BytesWritable, or a damaged one.
    """
    reader = _Reader(content, origin)
    if reader.take(3) != b"SEQ":
        raise reader.broken("no Hadoop SequenceFile: it does not begin with SEQ")
    version = reader.byte()
    if version not in _VERSIONS:
        raise reader.broken(f"a SequenceFile of version {version}; known are 5 and 6")
    for role, expected in (("key", _KEY), ("value", _VALUE)):
        found = reader.text()
        if found != expected:
            raise reader.broken(
                f"its {role}s are of the class {found[:_LONGEST_NAME]!r} where {expected} is expected"
            )
    compressed, in_blocks = reader.flag(), reader.flag()
    inflater = _inflater(reader) if compressed else None
    if version >= 6:
        for _ in range(reader.integer(least=0)):
            reader.text()
            reader.text()
    sync = reader.take(_SYNC_SIZE)
    if in_blocks and inflater is None:
        raise reader.broken("it says that blocks are compressed, and that records are not")
    if in_blocks and inflater is not None:
        yield from _blocks(reader, sync, inflater)
    else:
        yield from _records(reader, sync, inflater)


class _Reader:
    """Bytes from the front on; what is not there is an error, whatever a length says."""

    def __init__(self, content: bytes, origin: object) -> None:
        self._content = content
        self._place = 0
        self.origin = origin

    def broken(self, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self.origin} ({len(self._content):,} bytes) is {found}, at byte {self._place:,}. Expected a field of a "
            f"Spark NLP model as it was saved; it may be cut short or damaged, so copy or download it again."
        )

    @property
    def ended(self) -> bool:
        return self._place == len(self._content)

    def take(self, size: int) -> bytes:
        if size < 0 or size > len(self._content) - self._place:
            raise self.broken(f"cut short or damaged: {size:,} bytes more are due")
        self._place += size
        return self._content[self._place - size : self._place]

    def byte(self) -> int:
        return self.take(1)[0]

    def flag(self) -> bool:
        found = self.byte()
        if found > 1:
            raise self.broken(f"damaged: {found} stands where 0 or 1 should")
        return found == 1

    def integer(self, *, least: int) -> int:
        (found,) = struct.unpack(">i", self.take(4))
        if found < least:
            raise self.broken(
                f"damaged: the number {found} stands where one of {least} or more should"
            )
        return int(found)

    def variable(self) -> int:
        """Hadoop's VInt, of which no negative one is due anywhere here."""
        (first,) = struct.unpack("b", self.take(1))
        if first >= -112:
            size, found = 0, int(first)
        else:
            size = -112 - first
            found = int.from_bytes(self.take(size), "big") if size <= 4 else -1
        if found < 0:
            raise self.broken(f"damaged: a length of {size} bytes, or a negative one")
        return found

    def text(self) -> str:
        try:
            return self.take(self.variable()).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.broken("damaged: text in it is not UTF-8") from error


class _Inflater:
    """zlib, up to a limit for the whole file."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._left = _MOST_BYTES

    def __call__(self, packed: bytes, reader: _Reader) -> bytes:
        stream = zlib.decompressobj(self._window)
        try:
            found = stream.decompress(packed, self._left)
        except zlib.error as error:
            raise reader.broken(f"damaged: its compressed data cannot be read ({error})") from error
        if not stream.eof:
            what = "larger than any field" if len(found) == self._left else "cut short"
            raise reader.broken(f"damaged: its compressed data is {what}")
        self._left -= len(found)
        return found


def _inflater(reader: _Reader) -> _Inflater:
    codec = reader.text()
    if codec not in _CODECS:
        known = ", ".join(name.rpartition(".")[2] for name in _CODECS)
        raise reader.broken(
            f"compressed with {codec[:_LONGEST_NAME]!r}, which is not read here (known: {known}, or none): save the "
            f"model again without mapreduce.output.fileoutputformat.compress"
        )
    return _Inflater(_CODECS[codec])


def _records(reader: _Reader, sync: bytes, inflate: _Inflater | None) -> Iterator[bytes]:
    while not reader.ended:
        size = reader.integer(least=-1)
        if size == -1:
            _pass_sync(reader, sync)
            continue
        key = reader.integer(least=0)
        if key:
            raise reader.broken(f"damaged: a NullWritable of {key:,} bytes")
        value = reader.take(size)
        yield _unframed(inflate(value, reader) if inflate else value, reader)


def _blocks(reader: _Reader, sync: bytes, inflate: _Inflater) -> Iterator[bytes]:
    while not reader.ended:
        if reader.integer(least=-1) != -1:
            raise reader.broken("damaged: a block begins without its mark")
        _pass_sync(reader, sync)
        count = reader.variable()
        _, keys, lengths, packed = (
            inflate(reader.take(reader.variable()), reader) for _ in range(4)
        )
        if keys:
            raise reader.broken(f"damaged: NullWritables of {len(keys):,} bytes")
        sizes, inside = _Reader(lengths, reader.origin), _Reader(packed, reader.origin)
        for _ in range(count):
            yield _unframed(inside.take(sizes.variable()), reader)


def _pass_sync(reader: _Reader, sync: bytes) -> None:
    if reader.take(_SYNC_SIZE) != sync:
        raise reader.broken("damaged: a mark between records is not that of its head")


def _unframed(value: bytes, reader: _Reader) -> bytes:
    """A BytesWritable: its length, and as many bytes."""
    if len(value) < 4 or int.from_bytes(value[:4], "big") != len(value) - 4:
        raise reader.broken(f"damaged: a BytesWritable of {len(value):,} bytes says another length")
    return value[4:]
