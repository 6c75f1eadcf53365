"""Rows of text into requests: as many rows as asked for, unless they hold too many bytes."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from tfclf.errors import InputError
from tfclf.inputs import check_several, encoded_text, paired

Row = tuple[bytes, ...]  # a text, or a text and its pair
Batch = list[Row]


def rows_of(texts: Iterable[Any], pairs: Iterable[Any] | None) -> Iterator[Row]:
    """UTF-8 by row, read as it goes.

    Raises: InputError, as `Classifier.predict`: at once for what cannot be texts, later for one that is none.
    """
    check_several(texts)
    if pairs is None:
        return (
            (encoded_text(text, name="texts", index=index),) for index, text in enumerate(texts)
        )
    return (
        (
            encoded_text(text, name="texts", index=index),
            encoded_text(pair, name="pairs", index=index),
        )
        for index, (text, pair) in enumerate(paired(texts, pairs))
    )


async def async_rows_of(texts: AsyncIterable[Any]) -> AsyncIterator[Row]:
    """As `rows_of`, of what is read with `async for`."""
    index = 0
    async for text in texts:
        yield (encoded_text(text, name="texts", index=index),)
        index += 1


class _Gatherer:
    """Gathers rows until they are a batch.

    A request has one size limit for all its texts (4 MiB by gRPC's default, more with TF Serving, less behind some
    proxies), so that rows alone are no measure. A text larger than the limit goes by itself: it is not ours to
    refuse.
    """

    def __init__(self, rows: int, size: int) -> None:
        self._rows = rows
        self._size = size
        self._batch: Batch = []
        self._bytes = 0

    def add(self, row: Row) -> Iterator[Batch]:
        """The batches that this row completes; at once, so that no answer waits for a further row."""
        length = sum(map(len, row))
        if self._batch and self._bytes + length > self._size:
            yield from self.rest()
        self._batch.append(row)
        self._bytes += length
        if len(self._batch) == self._rows:
            yield from self.rest()

    def rest(self) -> Iterator[Batch]:
        """What has been gathered, if anything has."""
        if self._batch:
            batch, self._batch, self._bytes = self._batch, [], 0
            yield batch


def batches(rows: Iterable[Row], *, size: int, size_bytes: int) -> Iterator[Batch]:
    """Batches of at most `size` rows and, unless a single row has more, `size_bytes` bytes of text."""
    gatherer = _Gatherer(size, size_bytes)
    for row in rows:
        yield from gatherer.add(row)
    yield from gatherer.rest()


async def async_batches(
    rows: Iterable[Row] | AsyncIterable[Row], *, size: int, size_bytes: int
) -> AsyncIterator[Batch]:
    """As `batches`."""
    if not isinstance(rows, AsyncIterable):
        for batch in batches(rows, size=size, size_bytes=size_bytes):
            yield batch
        return
    gatherer = _Gatherer(size, size_bytes)
    async for row in rows:
        for batch in gatherer.add(row):
            yield batch
    for batch in gatherer.rest():
        yield batch


def check_not_both_async(texts: object, pairs: object) -> None:
    """Raises: InputError for pairs beside what is read with `async for`."""
    if pairs is not None and isinstance(texts, AsyncIterable):
        raise InputError(
            f"texts is an async iterable ({type(texts).__name__}) and pairs are given; pairs go with an ordinary "
            f"iterable of texts. Gather the rows into two lists, or into two ordinary generators."
        )
