"""Padding buckets: the few sizes of rows and batches for which XLA compiles programs."""

import bisect
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from tfclf.errors import InputError

_SHORTEST = 32
_BATCH_SIZES = (1, 8, 32)
# Tokens. Most news, short reviews and support tickets are no longer.
_USUAL_LENGTH = 128


@dataclass(frozen=True)
class Ladder:
    """The buckets of the compiled step: it only ever sees one of these lengths and batch sizes.

    >>> ladder = Ladder.up_to(100)
    >>> ladder.lengths, ladder.batch_sizes
    ((32, 64, 100), (1, 8, 32))

    Attributes:
      lengths: tokens in a row, special tokens included; the last is the model's limit.
      batch_sizes: rows; a larger batch is split into pieces of the last size.
    Raises: InputError for sizes that do not increase, or are not whole numbers above 0.
    """

    lengths: tuple[int, ...]
    batch_sizes: tuple[int, ...] = _BATCH_SIZES

    def __post_init__(self) -> None:
        for name, sizes in (("lengths", self.lengths), ("batch_sizes", self.batch_sizes)):
            # A bool is an int to Python, but not a size.
            are_sizes = all(
                isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes
            )
            increase = are_sizes and all(low < high for low, high in itertools.pairwise(sizes))
            if not sizes or not increase:
                raise InputError(
                    f"the ladder's {name} are {sizes!r}; expected whole numbers above 0 that go "
                    f"up, such as (1, 8, 32)."
                )

    @classmethod
    def up_to(cls, max_length: int) -> "Ladder":
        """Double the lengths up to the model's limit.

        No row is then padded to more than twice its own length, or to 32 tokens.

        >>> Ladder.up_to(512).lengths
        (32, 64, 128, 256, 512)
        """
        doubling = itertools.takewhile(
            lambda size: size < max_length, (_SHORTEST << step for step in itertools.count())
        )
        return cls((*doubling, max_length))

    @property
    def buckets(self) -> tuple[tuple[int, int], ...]:
        """Every (batch size, length); XLA compiles at most one program for each.

        >>> Ladder((32, 64), (1, 8)).buckets
        ((1, 32), (1, 64), (8, 32), (8, 64))
        """
        return tuple(itertools.product(self.batch_sizes, self.lengths))

    @property
    def usual_buckets(self) -> tuple[tuple[int, int], ...]:
        """The buckets to compile at warm-up: one text, or a full batch, of up to 128 tokens.

        A client sends one text, and bulk work sends full batches. A batch in between comes once, at
        the end.

        >>> Ladder.up_to(512).usual_buckets
        ((1, 32), (1, 64), (1, 128), (32, 32), (32, 64), (32, 128))
        """
        lengths = [length for length in self.lengths if length <= _USUAL_LENGTH] or self.lengths[:1]
        return tuple(
            itertools.product(dict.fromkeys((self.batch_sizes[0], self.batch_sizes[-1])), lengths)
        )


def compose_text(length: int, count_tokens: Callable[[str], int]) -> str:
    """Compose a text of `length` tokens, or of the most below it that repeating a word gives.

    >>> compose_text(5, lambda text: len(text.split()) + 2)
    'news news news'

    Args:
      length: tokens, special tokens included.
      count_tokens: count a text's tokens, special tokens included, truncated to the model's limit.
    """
    texts = [" ".join(["news"] * words) for words in range(length + 1)]
    return texts[max(0, bisect.bisect_right(texts, length, key=count_tokens) - 1)]
