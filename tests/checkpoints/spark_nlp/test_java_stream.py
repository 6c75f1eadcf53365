"""Java's serialized objects: what Spark NLP writes is read, and nothing else is."""

import contextlib
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkpoints.spark_nlp.writers import JavaStream
from tfclf.checkpoints.spark_nlp.java_stream import read_object
from tfclf.errors import CheckpointError

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_KEYS = st.one_of(_TEXT, st.tuples(_TEXT, _TEXT))
_ENTRIES = st.lists(st.tuples(_KEYS, st.one_of(st.integers(-(2**63), 2**63 - 1), _TEXT, st.none())))
_SAMPLE = (
    JavaStream()
    .array([("World", 0), (("\u0120t", "he"), 2**40), ("caf\u00e9 \U0001f600 \0", 2)])
    .content
)


def read(content: bytes) -> object:
    return read_object(content, origin="fields/labels/part-00000")


@given(_ENTRIES)
def test_entries_come_back_as_they_were_written(entries: list[tuple[object, object]]) -> None:
    assert read(JavaStream().array(entries).content) == entries


def test_a_string_of_more_than_65535_bytes_is_read() -> None:
    entries = [("x" * 70_000, 1)]
    assert read(JavaStream().array(entries).content) == entries


@given(st.integers(0, len(_SAMPLE) - 1))
def test_a_stream_cut_anywhere_is_refused(place: int) -> None:
    with pytest.raises(CheckpointError, match=r"part-00000: a record of it cannot be read"):
        read(_SAMPLE[:place])


@given(st.integers(0, len(_SAMPLE) - 1), st.integers(0, 255))
def test_a_changed_byte_gives_a_value_or_a_clear_error(place: int, byte: int) -> None:
    changed = _SAMPLE[:place] + bytes([byte]) + _SAMPLE[place + 1 :]
    with contextlib.suppress(CheckpointError):
        read(changed)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_give_a_clear_error(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="part-00000"):
        read(b"\xac\xed\x00\x05" + content + b"\xff")


@pytest.mark.parametrize(
    "name",
    [
        "java.util.PriorityQueue",
        "org.apache.commons.collections.functors.InvokerTransformer",
        "java.lang.Runtime",
    ],
)
def test_an_object_of_a_foreign_class_is_named_and_refused(name: str) -> None:
    described = b"r" + struct.pack(">H", len(name)) + name.encode() + bytes(8) + b"\x02\x00\x00xp"
    with pytest.raises(CheckpointError, match=f"an object of the class '{name}'"):
        read(b"\xac\xed\x00\x05s" + described)


def test_an_array_of_a_foreign_class_is_named_and_refused() -> None:
    with pytest.raises(CheckpointError, match=r"an object of the class '\[Ljava\.lang\.Process;'"):
        read(JavaStream().array([], of="[Ljava.lang.Process;").content)


def test_a_known_class_that_asks_for_code_of_its_own_is_refused() -> None:
    flag = (
        _SAMPLE.index(b"scala.Tuple2", _SAMPLE.index(b"scala.Tuple2") + 1) + len("scala.Tuple2") + 8
    )
    assert _SAMPLE[flag] == 2
    with pytest.raises(CheckpointError, match=r"'scala\.Tuple2' is not of the version"):
        read(_SAMPLE[:flag] + b"\x03" + _SAMPLE[flag + 1 :])


def test_an_array_larger_than_its_stream_is_refused_before_it_is_made() -> None:
    head = JavaStream().array([]).content[:-4]
    with pytest.raises(CheckpointError, match="an array of 2,147,483,647 elements"):
        read(head + struct.pack(">i", 2**31 - 1))


def test_tuples_in_tuples_without_end_are_refused() -> None:
    deep: tuple[object, object] = ("x", 1)
    for _ in range(1_000):
        deep = (deep, 1)
    stream = JavaStream()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        stream.array([deep])
    finally:
        sys.setrecursionlimit(before)
    with pytest.raises(CheckpointError, match="more than 16 deep"):
        read(stream.content)


def test_a_class_above_a_class_without_end_is_refused() -> None:
    above = b"r\x00\x10java.lang.Number" + bytes(8) + b"\x02\x00\x00x"
    with pytest.raises(CheckpointError, match="classes above classes"):
        read(b"\xac\xed\x00\x05s" + above * 100)


def test_an_object_that_refers_to_itself_is_refused() -> None:
    content = JavaStream().array([("x", 1)]).content
    own = content.index(b"t\x00\x01x")
    # The tuple's first part is the tuple: the array's class and the array come before it, its class
    # and a name, too.
    with pytest.raises(CheckpointError, match="refers to itself, or to a class"):
        read(content[:own] + b"q\x00\x7e\x00\x04" + content[own + 4 :])


def test_what_follows_the_object_is_refused() -> None:
    with pytest.raises(CheckpointError, match="goes on after its object"):
        read(_SAMPLE + b"p")
