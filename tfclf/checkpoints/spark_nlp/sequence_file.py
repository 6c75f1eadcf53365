"""Hadoop SequenceFiles: the values as bytes, read without a JVM.

Versions 5 and 6; records plain, compressed one by one, or compressed in blocks.
Source: Hadoop's org.apache.hadoop.io.SequenceFile and WritableUtils.
"""

import struct
import zlib
from collections.abc import Iterator

from tfclf.errors import CheckpointError

# The classes that Spark's `saveAsObjectFile` writes; a Spark NLP model has no others.
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
# Limit on the decompressed bytes of a file; a vocabulary of a million pieces takes a tenth of it.
_MOST_BYTES = 1 << 29


def read_values(content: bytes, *, origin: object) -> Iterator[bytes]:
    """Yield the value of each record, in order.

    Args:
      content: the whole file; decompressed data never grows past a fixed limit.
      origin: how errors name the file.
    Raises: CheckpointError unless it is a whole SequenceFile of NullWritable and BytesWritable.
    """
    reader = _Reader(content, origin)
    if reader.take(3) != b"SEQ":
        raise reader.refuse("no Hadoop SequenceFile: it does not begin with SEQ")
    version = reader.read_byte()
    if version not in _VERSIONS:
        raise reader.refuse(f"a SequenceFile of version {version}; known are 5 and 6")
    for role, expected in (("key", _KEY), ("value", _VALUE)):
        name = reader.read_text()
        if name != expected:
            raise reader.refuse(
                f"a SequenceFile with {role}s of the class {name[:_LONGEST_NAME]!r}, not {expected}"
            )
    compressed, in_blocks = reader.read_flag(), reader.read_flag()
    inflater = _choose_inflater(reader) if compressed else None
    if version >= 6:
        for _ in range(reader.read_integer(least=0)):
            reader.read_text()
            reader.read_text()
    sync = reader.take(_SYNC_SIZE)
    if in_blocks and inflater is None:
        raise reader.refuse("damaged: by its head blocks are compressed and records are not")
    if in_blocks and inflater is not None:
        yield from _read_blocks(reader, sync, inflater)
    else:
        yield from _read_records(reader, sync, inflater)


class _Reader:
    """Bytes, read from the front; a length that goes past their end is an error."""

    def __init__(self, content: bytes, origin: object) -> None:
        self._content = content
        self._place = 0
        self.origin = origin

    def refuse(self, flaw: str) -> CheckpointError:
        return CheckpointError(
            f"{self.origin} ({len(self._content):,} bytes) is {flaw}, at byte {self._place:,}. "
            f"Expected a field of a Spark NLP model as it was saved; it may be cut short or "
            f"damaged, so copy or download it again."
        )

    @property
    def ended(self) -> bool:
        return self._place == len(self._content)

    def take(self, size: int) -> bytes:
        if size < 0 or size > len(self._content) - self._place:
            raise self.refuse(f"cut short or damaged: {size:,} more bytes are expected")
        self._place += size
        return self._content[self._place - size : self._place]

    def read_byte(self) -> int:
        return self.take(1)[0]

    def read_flag(self) -> bool:
        byte = self.read_byte()
        if byte > 1:
            raise self.refuse(f"damaged: found {byte}, expected 0 or 1")
        return byte == 1

    def read_integer(self, *, least: int) -> int:
        (number,) = struct.unpack(">i", self.take(4))
        if number < least:
            raise self.refuse(f"damaged: found the number {number}, expected {least} or more")
        return int(number)

    def read_vint(self) -> int:
        r"""Read Hadoop's VInt: the number itself in a byte, or -112 minus its bytes, then those.

        Every VInt of a SequenceFile is a length, and so is not negative.

        >>> _Reader(b"\x07", "x").read_vint()
        7
        >>> _Reader(b"\x8e\x01\x2c", "x").read_vint()  # 0x8e is -114: two bytes follow
        300
        """
        (first,) = struct.unpack("b", self.take(1))
        if first >= -112:
            size, number = 0, int(first)
        else:
            size = -112 - first
            number = int.from_bytes(self.take(size), "big") if size <= 4 else -1
        if number < 0:
            raise self.refuse(f"damaged: a length of {size} bytes, or a negative one")
        return number

    def read_text(self) -> str:
        try:
            return self.take(self.read_vint()).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse("damaged: text in it is not UTF-8") from error


class _Inflater:
    """Decompression by zlib, up to a limit for the whole file."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._left = _MOST_BYTES

    def __call__(self, packed: bytes, reader: _Reader) -> bytes:
        stream = zlib.decompressobj(self._window)
        try:
            content = stream.decompress(packed, self._left)
        except zlib.error as error:
            raise reader.refuse(f"damaged: its compressed data cannot be read ({error})") from error
        if not stream.eof:
            flaw = "larger than any field" if len(content) == self._left else "cut short"
            raise reader.refuse(f"damaged: its compressed data is {flaw}")
        self._left -= len(content)
        return content


def _choose_inflater(reader: _Reader) -> _Inflater:
    codec = reader.read_text()
    if codec not in _CODECS:
        known = ", ".join(name.rpartition(".")[2] for name in _CODECS)
        raise reader.refuse(
            f"compressed with {codec[:_LONGEST_NAME]!r}, which is not read here (known: {known}, "
            f"or none): save the model again without mapreduce.output.fileoutputformat.compress"
        )
    return _Inflater(_CODECS[codec])


def _read_records(reader: _Reader, sync: bytes, inflate: _Inflater | None) -> Iterator[bytes]:
    while not reader.ended:
        size = reader.read_integer(least=-1)
        if size == -1:
            _skip_sync(reader, sync)
            continue
        key = reader.read_integer(least=0)
        if key:
            raise reader.refuse(f"damaged: a NullWritable of {key:,} bytes")
        value = reader.take(size)
        yield _unwrap(inflate(value, reader) if inflate else value, reader)


def _read_blocks(reader: _Reader, sync: bytes, inflate: _Inflater) -> Iterator[bytes]:
    while not reader.ended:
        if reader.read_integer(least=-1) != -1:
            raise reader.refuse("damaged: a block begins without its sync marker")
        _skip_sync(reader, sync)
        count = reader.read_vint()
        _, keys, lengths, packed = (
            inflate(reader.take(reader.read_vint()), reader) for _ in range(4)
        )
        if keys:
            raise reader.refuse(f"damaged: NullWritables of {len(keys):,} bytes")
        sizes, inside = _Reader(lengths, reader.origin), _Reader(packed, reader.origin)
        for _ in range(count):
            yield _unwrap(inside.take(sizes.read_vint()), reader)


def _skip_sync(reader: _Reader, sync: bytes) -> None:
    if reader.take(_SYNC_SIZE) != sync:
        raise reader.refuse("damaged: a sync marker differs from that of its head")


def _unwrap(value: bytes, reader: _Reader) -> bytes:
    r"""Return the content of a BytesWritable, which is its length and then as many bytes.

    >>> _unwrap(b"\x00\x00\x00\x02ab", _Reader(b"", "x"))
    b'ab'
    """
    if len(value) < 4 or int.from_bytes(value[:4], "big") != len(value) - 4:
        raise reader.refuse(
            f"damaged: a BytesWritable of {len(value):,} bytes states another length"
        )
    return value[4:]
