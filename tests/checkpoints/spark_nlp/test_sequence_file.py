"""SequenceFiles: every kind that Hadoop writes is read, or refused by name."""

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkpoints.spark_nlp.writers import GZIP, ZLIB, sequence_file
from tfclf.checkpoints.spark_nlp import sequence_file as reader
from tfclf.errors import CheckpointError

_RECORDS = [b"one", b"", b"three" * 100, bytes(300), b"five"]
_KINDS = {
    "plain": {},
    "zlib": {"codec": ZLIB},
    "gzip": {"codec": GZIP},
    "zlib blocks": {"codec": ZLIB, "blocks": True},
    "gzip blocks": {"codec": GZIP, "blocks": True},
}
_SAMPLES = {name: sequence_file(_RECORDS, **options) for name, options in _KINDS.items()}  # type: ignore[arg-type]


def read(content: bytes) -> list[bytes]:
    return list(reader.read_values(content, origin="part-00000"))


@pytest.mark.parametrize("options", _KINDS.values(), ids=_KINDS.keys())
@given(records=st.lists(st.binary(max_size=300), max_size=20))
def test_records_come_back_as_they_were_written(
    options: dict[str, object], records: list[bytes]
) -> None:
    assert read(sequence_file(records, **options)) == records  # type: ignore[arg-type]


@given(kind=st.sampled_from(sorted(_SAMPLES)), part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_gives_its_first_records_or_a_clear_error(
    kind: str, part: float
) -> None:
    content = _SAMPLES[kind]
    with contextlib.suppress(CheckpointError):
        found = read(content[: int(part * len(content))])
        assert found == _RECORDS[: len(found)]


@given(
    kind=st.sampled_from(sorted(_SAMPLES)),
    part=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
)
def test_a_changed_byte_gives_records_or_a_clear_error(kind: str, part: float, byte: int) -> None:
    content = bytearray(_SAMPLES[kind])
    content[int(part * len(content))] = byte
    with contextlib.suppress(CheckpointError):
        read(bytes(content))


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_give_a_clear_error(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="part-00000"):
        read(b"SEQ\x06" + content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04", "does not begin with SEQ"),
        (b"SEQ\x03", "a SequenceFile of version 3"),
        (
            sequence_file([]).replace(b"NullWritable", b"LongWritable"),
            "keys of the class '.*LongWritable'",
        ),
        (
            sequence_file([]).replace(b"BytesWritable", b"Other_ritable"),
            "values of the class '.*Other_ritable'",
        ),
        (
            _SAMPLES["zlib"].replace(b"Default", b"SnappyX"),
            "compressed with '.*SnappyXCodec', which is not read here",
        ),
        (_SAMPLES["plain"][:-4] + b"\x00\x00", "more bytes are expected|states another length"),
    ],
)
def test_what_is_no_field_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read(content)


@pytest.mark.parametrize("blocks", [False, True])
def test_compressed_data_never_grows_past_the_limit(
    monkeypatch: pytest.MonkeyPatch, blocks: bool
) -> None:
    monkeypatch.setattr(reader, "_MOST_BYTES", 10_000)
    with pytest.raises(CheckpointError, match="larger than any field"):
        read(sequence_file([bytes(4_000)] * 3, codec=ZLIB, blocks=blocks))


def test_a_record_that_promises_more_than_the_file_holds_takes_no_memory() -> None:
    content = sequence_file([]) + struct.pack(">ii", 2**31 - 1, 0) + zlib.compress(b"x")
    with pytest.raises(CheckpointError, match=r"2,147,483,647 more bytes are expected"):
        read(content)
