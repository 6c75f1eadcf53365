"""The worst mistakes: wrong answers that the model was surest of, and the little of their texts that a report shows."""

import heapq
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

LONGEST_TEXT = 300
_Item = TypeVar("_Item")

# Those that embed, override or isolate a direction would reach past the text into the page around it.
_BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f"}


@dataclass(frozen=True)
class Mistake:
    """One wrong answer.

    Attributes:
      row: its number among the rows, from 1.
      probability: of the predicted label; `true_probability` of the true one.
      text: readable and cut short.
    """

    row: int
    true: str
    predicted: str
    probability: float
    true_probability: float
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` has it."""
        return asdict(self)


class Top(Generic[_Item]):
    """The `size` items of the highest values; of equal ones those that came first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, _Item]] = []
        self._came = 0

    def wants(self, value: float) -> bool:
        """Whether an item of that value, coming now, would be kept: so that others need not be made."""
        return len(self._heap) < self._size or (self._size > 0 and value > self._heap[0][0])

    def add(self, value: float, item: _Item) -> None:
        """Keeps the item while it is among the highest."""
        self._came += 1
        entry = (value, -self._came, item)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        elif self._size:
            heapq.heappushpop(self._heap, entry)

    def items(self) -> list[_Item]:
        """The highest first."""
        return [
            item for _, _, item in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        ]


def readable(text: str, *, longest: int = LONGEST_TEXT) -> str:
    r"""A text on one line that any page can hold: no control characters, no lone surrogates, cut at `longest`.

    >>> readable("two\nlines")
    'two lines'
    """
    # 4: white space may shrink to a quarter and still fill the line; a text may have megabytes.
    start = "".join(_printable(character) for character in text[: 4 * longest])
    line = " ".join(start.split())
    if len(line) <= longest and len(text) <= 4 * longest:
        return line
    cut = min(longest - 1, len(line))
    while 0 < cut < len(line) and _belongs_to_the_one_before(line, cut):
        cut -= 1
    return line[:cut].rstrip() + "…"


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs" or ord(character) & 0xFFFE == 0xFFFE:  # no text, and no XML takes it
        return "\ufffd"
    if category == "Cc":
        return " "
    return "" if unicodedata.bidirectional(character) in _BIDI_CONTROLS else character


def _belongs_to_the_one_before(line: str, position: int) -> bool:
    character = line[position]
    return (
        bool(unicodedata.combining(character))
        or character in _JOINERS
        or line[position - 1] == "\u200d"
    )
