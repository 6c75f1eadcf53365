"""Padding buckets: rows and batches are padded to a few sizes, so XLA compiles few programs."""

import bisect
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from tfclf.errors import InputError

_SHORTEST = 32
_BATCH_SIZES = (1, 8, 32)
# Most texts are no longer than this: news, reviews of a sentence or two, support tickets.
_USUAL_LENGTH = 128


@dataclass(frozen=True)
class Ladder:
    """Padding buckets: the compiled step meets these lengths and these batch sizes only.

    >>> Ladder.up_to(100).lengths
    (32, 64, 100)
    >>> Ladder((32, 100), batch_sizes=(1, 8)).rungs
    ((1, 32), (1, 100), (8, 32), (8, 100))

    Attributes:
      lengths: tokens in a row, special tokens included; the last one is the model's limit.
      batch_sizes: rows; a larger batch is divided into pieces of the last size.
    Raises: InputError for sizes that are no whole numbers above 0, or that do not go up.
    """

    lengths: tuple[int, ...]
    batch_sizes: tuple[int, ...] = _BATCH_SIZES

    def __post_init__(self) -> None:
        for name, sizes in (("lengths", self.lengths), ("batch_sizes", self.batch_sizes)):
            if not _go_up(sizes):
                raise InputError(
                    f"the ladder's {name} are {sizes!r}; expected whole numbers above 0 that go "
                    f"up, such as (1, 8, 32)."
                )

    @classmethod
    def up_to(cls, max_length: int) -> "Ladder":
        """Make buckets whose lengths double up to the model's limit.

        No row is padded to more than 32 tokens or twice its own length.

        >>> Ladder.up_to(512).lengths
        (32, 64, 128, 256, 512)
        """
        doubling = itertools.takewhile(
            lambda size: size < max_length, (_SHORTEST << step for step in itertools.count())
        )
        return cls((*doubling, max_length))

    @property
    def rungs(self) -> tuple[tuple[int, int], ...]:
        """Every bucket, (batch size, length); at most as many programs are compiled."""
        return tuple(itertools.product(self.batch_sizes, self.lengths))

    @property
    def usual(self) -> tuple[tuple[int, int], ...]:
        """The buckets worth compiling in advance: one text, or a full batch, of up to 128 tokens.

        A client sends one text, and bulk work sends full batches; a batch in between comes once, at
        the end.

        >>> Ladder((32, 512), batch_sizes=(1, 8, 32)).usual
        ((1, 32), (32, 32))
        """
        lengths = [length for length in self.lengths if length <= _USUAL_LENGTH] or self.lengths[:1]
        return tuple(
            itertools.product(dict.fromkeys((self.batch_sizes[0], self.batch_sizes[-1])), lengths)
        )


def _go_up(sizes: tuple[int, ...]) -> bool:
    """Tell whether there are sizes, whole numbers above 0, each larger than the one before."""
    for size in sizes:
        # bool is an int to Python, but no size.
        if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
            return False
    return bool(sizes) and all(low < high for low, high in itertools.pairwise(sizes))


def compose_text(length: int, count_tokens: Callable[[str], int]) -> str:
    """Return a text of `length` tokens, or of the most that stay below.

    The text repeats one word, and the tokenizer decides how many tokens that takes:

    >>> compose_text(5, count_tokens=lambda text: 2 + len(text.split()))
    'news news news'
    >>> compose_text(5, count_tokens=lambda text: 2 + 2 * len(text.split()))
    'news'

    Args:
      length: tokens, special tokens included.
      count_tokens: counts a text's tokens, special tokens included, after truncation.
    """
    texts = [" ".join(["news"] * words) for words in range(length + 1)]
    return texts[max(0, bisect.bisect_right(texts, length, key=count_tokens) - 1)]
