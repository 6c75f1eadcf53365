"""The ladder: the few sizes that rows and batches are padded up to, so that XLA compiles few programs."""

import bisect
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from tfclf.errors import InputError

_SHORTEST = 32
_BATCH_SIZES = (1, 8, 32)
# News, reviews of a sentence or two, support tickets: most texts are no longer.
_USUAL_LENGTH = 128


@dataclass(frozen=True)
class Ladder:
    """Every shape that the compiled step is called with is a rung: one of these lengths, one of these batch sizes.

    >>> Ladder.up_to(100).lengths
    (32, 64, 100)

    Attributes:
      lengths: tokens in a row, special tokens included; the last one is the model's limit.
      batch_sizes: rows; a larger batch is cut into pieces of the last one.
    Raises: InputError for sizes that do not go up, or that are no whole numbers above 0.
    """

    lengths: tuple[int, ...]
    batch_sizes: tuple[int, ...] = _BATCH_SIZES

    def __post_init__(self) -> None:
        for name, sizes in (("lengths", self.lengths), ("batch_sizes", self.batch_sizes)):
            # bool is an int to Python, and no size to anybody.
            whole = all(
                isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes
            )
            if (
                not sizes
                or not whole
                or any(low >= high for low, high in itertools.pairwise(sizes))
            ):
                raise InputError(
                    f"the ladder's {name} are {sizes!r}; expected whole numbers above 0 that go up, such as (1, 8, 32)."
                )

    @classmethod
    def up_to(cls, max_length: int) -> "Ladder":
        """Lengths that double up to the model's limit: no row is padded to more than twice its own, or to 32."""
        doubling = itertools.takewhile(
            lambda size: size < max_length, (_SHORTEST << step for step in itertools.count())
        )
        return cls((*doubling, max_length))

    @property
    def rungs(self) -> tuple[tuple[int, int], ...]:
        """Every (batch size, length): as many programs, and no more, can come to be compiled."""
        return tuple(itertools.product(self.batch_sizes, self.lengths))

    @property
    def usual(self) -> tuple[tuple[int, int], ...]:
        """The rungs worth compiling before anybody asks: one text, or a full batch, of up to 128 tokens.

        A client sends one text, and bulk work sends full batches; a batch in between comes once, at the end.
        """
        lengths = [length for length in self.lengths if length <= _USUAL_LENGTH] or self.lengths[:1]
        return tuple(
            itertools.product(dict.fromkeys((self.batch_sizes[0], self.batch_sizes[-1])), lengths)
        )


def text_of(length: int, count_tokens: Callable[[str], int]) -> str:
    """A text of as many tokens, or of the most that stay below, whatever the tokenizer makes of a word.

    Args:
      length: tokens, special tokens included.
      count_tokens: of a text, special tokens included, cut to the model's limit.
    """
    texts = [" ".join(["news"] * words) for words in range(length + 1)]
    return texts[max(0, bisect.bisect_right(texts, length, key=count_tokens) - 1)]
