"""The worst mistakes: wrong predictions with the highest probability, and how texts are shown."""

import heapq
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

from tfclf.explanation import Explanation, Word

LONGEST_TEXT = 300
_STRONGEST = 5
_Item = TypeVar("_Item")

# These embed, override or isolate a direction, and would affect the page around the text.
_BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f"}


@dataclass(frozen=True)
class Mistake:
    """One wrong prediction.

    Attributes:
      row: its number among the rows, from 1.
      probability: of the predicted label.
      true_probability: of the true label.
      text: the start of the text, made readable.
      words: those of `text`, with their effects on the predicted label; None if nobody asked.
    """

    row: int
    true: str
    predicted: str
    probability: float
    true_probability: float
    text: str
    words: tuple[Word, ...] | None = None

    def strongest(self) -> list[Word]:
        """Return the five words that supported the predicted, wrong label most."""
        words = [word for word in self.words or () if word.effect > 0]
        return sorted(words, key=lambda word: -word.effect)[:_STRONGEST]

    def to_dict(self) -> dict[str, Any]:
        """Return an entry of `worst_mistakes` in `metrics.json`."""
        content = asdict(replace(self, words=None))
        del content["words"]
        if self.words is not None:
            words = [{"text": word.text, "effect": word.effect} for word in self.strongest()]
            content["strongest_words"] = words
        return content

    def with_words(self, explanation: Explanation) -> "Mistake":
        """Return the mistake with the words of its text, whose offsets are those in `text`."""
        text, words = _make_words_readable(explanation.text, explanation.words)
        return replace(self, text=text, words=words)


class Top(Generic[_Item]):
    """The `size` items with the highest values; among equal values, those added first.

    >>> top = Top(2)
    >>> for value, item in [(0.5, "a"), (0.9, "b"), (0.5, "c")]:
    ...     top.add(value, item)
    >>> top.items()
    ['b', 'a']
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, _Item]] = []
        self._added = 0

    def wants(self, value: float) -> bool:
        """Return whether an item of that value would be kept if added now.

        Ask before making an item that is expensive to make.
        """
        return len(self._heap) < self._size or (self._size > 0 and value > self._heap[0][0])

    def add(self, value: float, item: _Item) -> None:
        """Add an item; keep it while its value is among the highest."""
        self._added += 1
        entry = (value, -self._added, item)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        elif self._size:
            heapq.heappushpop(self._heap, entry)

    def items(self) -> list[_Item]:
        """Return the items, highest value first."""
        ordered = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return [item for _, _, item in ordered]


def make_readable(text: str, *, longest: int = LONGEST_TEXT) -> str:
    r"""Turn a text into one line that any page can hold.

    >>> make_readable("two\nlines")
    'two lines'
    >>> make_readable("one two three", longest=8)
    'one two…'

    The line has no control characters and no lone surrogates; it is truncated to `longest`.
    """
    # A text may have megabytes, so clean only its start. White space may collapse; four times the
    # length still fills the line almost always.
    start = "".join(_make_printable(character) for character in text[: 4 * longest])
    line = " ".join(start.split())
    if len(line) <= longest and len(text) <= 4 * longest:
        return line
    end = min(longest - 1, len(line))
    while 0 < end < len(line) and _joins_previous(line, end):
        end -= 1
    return line[:end].rstrip() + "…"


def _make_words_readable(text: str, words: Iterable[Word]) -> tuple[str, tuple[Word, ...]]:
    r"""Do as `make_readable`, and move the words to their places in the line.

    >>> line, (word,) = _make_words_readable("two\n\nlines", [Word("lines", 5, 10, 1.0, {})])
    >>> line, line[word.start : word.end]
    ('two lines', 'lines')
    """
    line, done, moved = "", 0, []
    for word in words:
        if len(line) + word.end - done >= LONGEST_TEXT:
            break
        line = (line + _collapse(text[done : word.start])).lstrip()
        start = len(line)
        line, done = line + _collapse(text[word.start : word.end]), word.end
        moved.append(replace(word, start=start, end=len(line)))
    rest = text[done : done + LONGEST_TEXT]
    line = (line + _collapse(rest)).strip()
    return (line if done + len(rest) == len(text) else line + "…"), tuple(moved)


def _collapse(piece: str) -> str:
    return re.sub(r"\s+", " ", "".join(map(_make_printable, piece)))


def _make_printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs" or ord(character) & 0xFFFE == 0xFFFE:  # not text, and refused by XML
        return "\ufffd"
    if category == "Cc":
        return " "
    return "" if unicodedata.bidirectional(character) in _BIDI_CONTROLS else character


def _joins_previous(line: str, position: int) -> bool:
    """Return whether the character at `position` forms one symbol with the one before it.

    >>> [_joins_previous(line, 1) for line in ("ab", "e\u0301")]
    [False, True]
    """
    character = line[position]
    return (
        bool(unicodedata.combining(character))
        or character in _JOINERS
        or line[position - 1] == "\u200d"
    )
