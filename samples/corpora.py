"""Real rows from ../shared, and any number of hostile strings, random or mutated from real rows."""

import csv
import gzip
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfclf.sample_texts import hostile_texts

# First and last letter of each script's main block, and the character that ends a sentence.
_SCRIPTS = {
    "Latin": (0x00C0, 0x024F, "."),
    "Greek": (0x0386, 0x03FF, ";"),
    "Cyrillic": (0x0400, 0x04FF, "."),
    "Armenian": (0x0531, 0x0587, "\u0589"),
    "Hebrew": (0x0591, 0x05EA, "\u05be"),
    "Arabic": (0x0610, 0x06D3, "\u061f"),
    "Syriac": (0x0710, 0x074A, "\u0700"),
    "Devanagari": (0x0900, 0x097F, "\u0964"),
    "Bengali": (0x0980, 0x09FB, "\u0964"),
    "Tamil": (0x0B82, 0x0BFA, "."),
    "Telugu": (0x0C00, 0x0C7F, "."),
    "Thai": (0x0E01, 0x0E5B, " "),
    "Tibetan": (0x0F00, 0x0FDA, "\u0f0d"),
    "Georgian": (0x10A0, 0x10FF, "\u10fb"),
    "Hangul jamo": (0x1100, 0x11FF, "."),
    "Ethiopic": (0x1200, 0x137C, "\u1362"),
    "Khmer": (0x1780, 0x17F9, "\u17d4"),
    "Hiragana and katakana": (0x3041, 0x30FF, "\u3002"),
    "Han": (0x4E00, 0x9FFF, "\uff0c"),
    "Hangul": (0xAC00, 0xD7A3, "."),
    "Full width": (0xFF01, 0xFFDC, "\uff01"),
    "Gothic": (0x10330, 0x1034A, "."),
    "Mathematical": (0x1D400, 0x1D7FF, "="),
}
_INSERTED = (
    "",
    " ",
    "  ",
    "\n",
    "\0",
    "\u0301",
    "\u00ad",
    "\u200b",
    "\u00a0",
    "\ufeff",
    "\U0001f600",
    "#",
    "\u2581",
    "''",
)


def ag_news(shared: Path) -> list[str]:
    """Return the 7,600 rows of the official test split."""
    with (shared / "data" / "ag_news" / "test.csv").open(encoding="utf-8", newline="") as file:
        return [f"{title} {description}" for _, title, description in csv.reader(file)]


def imdb(shared: Path) -> list[str]:
    """Return the 25,000 rows of the official test split."""
    with gzip.open(shared / "data" / "imdb" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def allocine(shared: Path) -> list[str]:
    """Return 10,000 French reviews."""
    from pyarrow import parquet

    rows: list[str] = parquet.read_table(shared / "data" / "allocine" / "test.parquet")[
        "review"
    ].to_pylist()
    return rows


def hostile(count: int, *, seed: int = 0, rows: Sequence[str] = ()) -> Iterator[str]:
    """Yield `count` strings: half of any Unicode plane, a quarter in 23 scripts, a quarter mutated.

    Args:
      rows: real rows to mutate; random ones if empty.
    """
    dice = random.Random(seed)
    rows = rows or list(hostile_texts(200, seed=seed + 1))
    return itertools.chain(
        hostile_texts(count - 2 * (count // 4), seed=seed),
        (_write_in_a_script(dice) for _ in range(count // 4)),
        (_mutate(dice.choice(rows), dice) for _ in range(count // 4)),
    )


def _write_in_a_script(dice: random.Random) -> str:
    first, last, end = _SCRIPTS[dice.choice(list(_SCRIPTS))]
    words = (
        "".join(chr(dice.randint(first, last)) for _ in range(dice.randint(1, 9)))
        for _ in range(dice.randint(1, 12))
    )
    return dice.choice((" ", " ", "")).join(words) + end


def _mutate(row: str, dice: random.Random) -> str:
    """Return a part of a row with a few characters dropped, doubled, swapped, replaced or added."""
    start = dice.randrange(max(1, len(row) - 200))
    characters = list(row[start : start + dice.randint(1, 200)])
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(characters)) if characters else 0
        kind = dice.randrange(5)
        if kind == 0:
            characters[place : place + 1] = []
        elif kind == 1:
            characters[place:place] = characters[place : place + 1]
        elif kind == 2:
            characters[place : place + 2] = reversed(characters[place : place + 2])
        elif kind == 3:
            point = dice.randrange(dice.choice((0x80, 0x800, 0x10000, 0x110000)))
            characters[place : place + 1] = chr(point) if not 0xD800 <= point < 0xE000 else "\ufffd"
        else:
            characters[place:place] = dice.choice(_INSERTED)
    return "".join(characters)
