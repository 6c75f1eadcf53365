"""Texts that need no file: headlines for a first look, hostile strings for tests and `verify`."""

import random
import sys
from collections.abc import Iterator

# Written for this project; not taken from any data set.
HEADLINES = (
    "Central bank holds interest rates as inflation cools for a third straight month",
    "Midfielder scores twice in extra time to send the home side into the cup final",
    "Ceasefire talks resume after a night of shelling along the northern border",
    "Astronomers spot water vapour in the atmosphere of a planet twice the size of Earth",
    "Chipmaker's shares jump 12 percent after it raises its quarterly revenue forecast",
    "Open-source database adds a query planner that learns from its own mistakes",
    "Parliament votes to dissolve itself and calls an early election for March",
    "Champion withdraws from the marathon hours before the start with a calf injury",
)
# By language, ISO 639-1.
REVIEWS = {
    "en": (
        "The plot is thin, but the two leads carry every scene they share.",
        "Two hours of noise and not one character worth caring about.",
        "I laughed, I cried, and I would watch it again tomorrow.",
        "A promising start that the last half hour throws away.",
    ),
    "fr": (
        "Le scénario est mince, mais les deux acteurs principaux portent tout le film.",
        "Deux heures de bruit, et pas un seul personnage attachant.",
        "J'ai ri, j'ai pleuré, et je le reverrais volontiers demain.",
        "Un début prometteur que la dernière demi-heure gâche entièrement.",
    ),
}
# A statement, and one that may follow from it.
PAIRS = (
    ("Two children are playing football in the rain.", "Children are outdoors."),
    ("The shop closes at six on weekdays.", "The shop is open at eight on Monday evening."),
    ("A woman reads a letter by the window.", "The letter is from her brother."),
)

_SPECIAL = (
    "[SEP]",
    "[CLS]",
    "[MASK]",
    "[UNK]",
    "[PAD]",
    "[sep]",
    "[SEP",
    "SEP]",
    "[[SEP]]",
    "##",
    "##s",
)
_EMOJI = (
    "\U0001f600",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1eb\U0001f1f7",
    "\U0001f44d\U0001f3fd",
    "\u2764\ufe0f",
    "1\ufe0f\u20e3",
)
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e"
_CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
_SPACES = "\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000"
_DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2069"
_RIGHT_TO_LEFT = (
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u05e9\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u067e\u0698",
)
_WORDS = [
    "the",
    "playing",
    "unaffable",
    "New",
    "York",
    "CAFÉ",
    "naïve",
    "İstanbul",
    "straße",
    "don't",
    "U.S.A.",
    "3.14",
    "$5",
    "C++",
    "e-mail",
    "http://a.b/c?d=e",
    "ﬁsh",
    "ＡＢＣ",
    "ⅠⅡ",
    "½",
    "你好",
    "東京",
    "こんにちは",
    "안녕",
    "हिन्दी",
    "ไทย",
    "Москва",
    "Ελληνικά",
    "Σίσυφος",
    "Z̴a̵l̶g̷o̸",
]


def hostile_texts(count: int, *, seed: int = 0) -> Iterator[str]:
    r"""Generate `count` strings that tokenizers trip over; equal seeds give equal strings.

    They come from every Unicode plane and hold control characters, NUL, combining marks, zero-width
    and direction marks, odd spaces, emoji sequences, right-to-left words, special tokens spelled as
    text, words of up to 10,000 letters, and empty strings. Lone surrogates are left out, because
    they are not text.

    >>> list(hostile_texts(4))
    ['', ' ', '\x00', '[SEP]']
    """
    dice = random.Random(seed)
    yield from ("", " ", "\0", "[SEP]", "a" * 10_000, "\u0301" * 300, "\ufffd", "\u4e00" * 1000)[
        :count
    ]
    for _ in range(max(0, count - 8)):
        pieces = [_piece(dice) for _ in range(dice.choice((1, 2, 3, 5, 8, 13, 40)))]
        yield dice.choice(("", " ", " ")).join(pieces)


def _piece(dice: random.Random) -> str:
    kind = dice.randrange(12)
    if kind == 0:
        return dice.choice(_SPECIAL)
    if kind == 1:
        return dice.choice(_EMOJI)
    if kind == 2:
        return dice.choice(_ZERO_WIDTH + _CONTROLS + _SPACES + _DIRECTIONS)
    if kind == 3:
        return dice.choice("aeiounAEIOUN") + "".join(
            chr(dice.randrange(0x300, 0x370)) for _ in range(dice.randrange(4))
        )
    if kind == 4:
        return "".join(_any_character(dice) for _ in range(dice.randrange(1, 6)))
    if kind == 5:
        return dice.choice(_RIGHT_TO_LEFT)
    if kind == 6:
        return "".join(
            dice.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u00a1\u00bf\u2026\u201c\u2014\u3002")
            for _ in range(dice.randrange(1, 4))
        )
    if kind == 7 and not dice.randrange(20):
        return dice.choice("ax\u00e9\u0436") * dice.choice((99, 100, 101, 200, 10_000))
    return dice.choice(_WORDS)


def _any_character(dice: random.Random) -> str:
    # Two thirds come from the planes in use, one third from all seventeen.
    limit = dice.choice((0x800, 0x3000, 0x10000, 0x20000, 0x110000, 0x110000))
    point = dice.randrange(limit)
    return chr(point) if not 0xD800 <= point < 0xE000 else "\ue000"


if __name__ == "__main__":
    sys.stdout.writelines(f"{headline}\n" for headline in HEADLINES)
