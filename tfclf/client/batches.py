"""Group rows of text into requests, limited by rows and by bytes."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from tfclf.errors import InputError
from tfclf.inputs import check_texts, encode_text, pair_rows

Row = tuple[bytes, ...]  # (text,) or (text, pair)
Batch = list[Row]


def read_rows(texts: Iterable[Any], pairs: Iterable[Any] | None) -> Iterator[Row]:
    r"""Encode texts, and their pairs, as UTF-8 rows; read them lazily.

    >>> list(read_rows(["goal", "café"], pairs=None))
    [(b'goal',), (b'caf\xc3\xa9',)]
    >>> list(read_rows(["Who won?"], pairs=["The visitors"]))
    [(b'Who won?', b'The visitors')]

    Raises: InputError, like `Classifier.predict`: at once if `texts` cannot be several texts, and
      during iteration if one of them is not text.
    """
    check_texts(texts)
    if pairs is None:
        return ((encode_text(text, name="texts", index=index),) for index, text in enumerate(texts))
    return (
        (
            encode_text(text, name="texts", index=index),
            encode_text(pair, name="pairs", index=index),
        )
        for index, (text, pair) in enumerate(pair_rows(texts, pairs))
    )


async def read_rows_async(texts: AsyncIterable[Any]) -> AsyncIterator[Row]:
    """Encode texts like `read_rows`, from an async iterable."""
    index = 0
    async for text in texts:
        yield (encode_text(text, name="texts", index=index),)
        index += 1


class _Gatherer:
    """Rows gathered for the next batch.

    A server limits the bytes of a request, not its rows: gRPC's default is 4 MiB, TF Serving takes
    more, and some proxies take less. A text larger than the limit travels alone, because only the
    server knows whether it is too large.
    """

    def __init__(self, rows: int, size: int) -> None:
        self._rows = rows
        self._size = size
        self._batch: Batch = []
        self._bytes = 0

    def add(self, row: Row) -> Iterator[Batch]:
        """Add a row; yield each batch it completes at once, without waiting for a further row."""
        length = sum(map(len, row))
        if self._batch and self._bytes + length > self._size:
            yield from self.flush()
        self._batch.append(row)
        self._bytes += length
        if len(self._batch) == self._rows:
            yield from self.flush()

    def flush(self) -> Iterator[Batch]:
        """Yield the rows gathered so far, unless there are none."""
        if self._batch:
            batch, self._batch, self._bytes = self._batch, [], 0
            yield batch


def group_rows(rows: Iterable[Row], *, size: int, size_bytes: int) -> Iterator[Batch]:
    """Group rows into batches of at most `size` rows and `size_bytes` bytes of text.

    A single row with more bytes becomes a batch of its own.

    >>> rows = [(b"aa",), (b"b",), (b"cccccc",), (b"d",)]
    >>> list(group_rows(rows, size=2, size_bytes=4))
    [[(b'aa',), (b'b',)], [(b'cccccc',)], [(b'd',)]]
    """
    gatherer = _Gatherer(size, size_bytes)
    for row in rows:
        yield from gatherer.add(row)
    yield from gatherer.flush()


async def group_rows_async(
    rows: Iterable[Row] | AsyncIterable[Row], *, size: int, size_bytes: int
) -> AsyncIterator[Batch]:
    """Group rows like `group_rows`, also from an async iterable."""
    if not isinstance(rows, AsyncIterable):
        for batch in group_rows(rows, size=size, size_bytes=size_bytes):
            yield batch
        return
    gatherer = _Gatherer(size, size_bytes)
    async for row in rows:
        for batch in gatherer.add(row):
            yield batch
    for batch in gatherer.flush():
        yield batch


def check_not_both_async(texts: object, pairs: object) -> None:
    """Raises: InputError if `pairs` are given and `texts` is an async iterable."""
    if pairs is not None and isinstance(texts, AsyncIterable):
        raise InputError(
            f"texts is an async iterable ({type(texts).__name__}) and pairs are given; pairs go "
            f"with an ordinary iterable of texts. Gather the rows into two lists, or into two "
            f"ordinary generators."
        )
