"""Score texts with a smaller length limit than the model was exported with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfclf.errors import InputError
from tfclf.problem_types import REGRESSION

if TYPE_CHECKING:
    from tfclf.classifier import Classifier

Row = list[int]


def cut_row(row: Row, limit: int, *, before: int, after: int, keep_end: bool = False) -> Row:
    """Cut a row of token ids to a limit; the special tokens around the text stay.

    >>> cut_row([101, 7, 8, 9, 102], 4, before=1, after=1)
    [101, 7, 8, 102]
    >>> cut_row([101, 7, 8, 9, 102], 4, before=1, after=1, keep_end=True)
    [101, 8, 9, 102]

    Args:
      before, after: special tokens in front of the text and behind it.
      keep_end: whether the text loses its start, as a tokenizer with truncation_side 'left' does.
    """
    if len(row) <= limit:
        return row
    end = len(row) - after
    room = limit - before - after
    text = row[before:end]
    kept = text[len(text) - room :] if keep_end else text[:room]
    return row[:before] + kept + row[end:]


class ShorterRows:
    """Tokenize as the model does, cut the rows, and run its encoder."""

    def __init__(self, model: Classifier, limit: int) -> None:
        """Find the special tokens. Raises: InputError if they leave no room for a token."""
        self._model = model
        self._limit = limit
        short, longer = self._tokenize(["a", "a a"])
        self._before = _count_equal(short, longer, self._tokenize([""])[0])
        self._after = len(self._tokenize([""])[0]) - self._before
        if limit <= self._before + self._after:
            raise InputError(
                f"max_length is {limit}, and {model.manifest.name} puts "
                f"{self._before + self._after} special tokens around a text. Expected room for one "
                f"token of text: at least {self._before + self._after + 1}."
            )
        self._keep_end = self._finds_end()

    def score(self, texts: Sequence[Any], batch_size: int) -> dict[str, np.ndarray[Any, Any]]:
        """Return the columns of `score_texts`, in the order of the texts."""
        rows = iter(texts)
        parts = []
        while batch := list(itertools.islice(rows, batch_size)):
            parts.append(self._score_batch(batch))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _score_batch(self, texts: list[Any]) -> dict[str, np.ndarray[Any, Any]]:
        whole = self._tokenize(texts)
        rows = list(self._cut(whole))
        longest = max(len(row) for row in rows)
        ids = np.zeros((len(rows), longest), np.int32)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        outputs = {name: value.numpy() for name, value in self._encode(ids, mask).items()}
        truncated = np.array([len(row) > self._limit for row in whole], dtype=object)
        labels = np.array(self._model.labels, dtype=object)
        if self._model.manifest.problem_type == REGRESSION:
            score = outputs["logits"][:, 0]
            label = np.full(len(rows), labels[0], dtype=object)
            return {"label": label, "score": score, "truncated": truncated}
        probabilities = outputs["probabilities"]
        best = probabilities.argmax(axis=1)
        return {
            "label": labels[best],
            "score": probabilities.max(axis=1),
            "probabilities": probabilities,
            "truncated": truncated,
        }

    def _cut(self, rows: list[Row]) -> Iterator[Row]:
        for row in rows:
            yield cut_row(
                row,
                self._limit,
                before=self._before,
                after=self._after,
                keep_end=self._keep_end,
            )

    def _encode(self, ids: Any, mask: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = self._model.call_encode(ids, mask)
        return outputs

    def _tokenize(self, texts: list[Any]) -> list[Row]:
        rows: list[Row] = self._model.tokenize(texts).to_list()
        return rows

    def _finds_end(self) -> bool:
        """Whether the model's own truncation keeps a text's end."""
        text = "a " * (2 * self._model.max_length) + "b"
        long, short = self._tokenize([text, "a b"])
        last = -1 - self._after
        return long[last] == short[last] and long[last - 1] != long[last]


def _count_equal(*rows: Row) -> int:
    """Count the tokens that all rows begin with.

    >>> _count_equal([0, 5, 2], [0, 5, 5, 2], [0, 2])
    1
    """
    count = 0
    for ids in zip(*rows, strict=False):
        if len(set(ids)) > 1:
            break
        count += 1
    return count
