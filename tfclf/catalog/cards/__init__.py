"""Model cards: a published model's task, places, training recipe and metrics, by name.

Each card is a TOML file beside this module. A new card is a new file; nothing else names them.
"""

import difflib
import functools
from pathlib import Path

from tfclf.catalog.cards.card import Archive, Card, SparkNlp, Training
from tfclf.catalog.cards.read import read
from tfclf.errors import CardError, SourceNotFoundError

__all__ = ["Archive", "Card", "SparkNlp", "Training", "cards", "find", "is_name"]


@functools.cache
def cards() -> tuple[Card, ...]:
    """Return every card, sorted by name. Raises: CardError for a file that is no card."""
    return tuple(read(path) for path in sorted(Path(__file__).parent.glob("*.toml")))


def is_name(source: object) -> bool:
    """Return whether a card has this name or NLU reference.

    >>> is_name("en.classify.albert.ag_news"), is_name("org/name")
    (True, False)
    """
    return isinstance(source, str) and source in _index_by_name()


def find(name: str) -> Card:
    """Return the card of a name or NLU reference.

    >>> find("en.classify.albert.ag_news").family
    'albert'

    Raises: SourceNotFoundError, which names the nearest cards.
    """
    if is_name(name):
        return _index_by_name()[name]
    near = find_nearest(name)
    hint = f"There are: {', '.join(card.name for card in cards())}"
    if near:
        hint = f"Nearest: {', '.join(near)}"
    raise SourceNotFoundError(
        f"No card has the name or the NLU reference {name!r}. {hint}. `tfclf cards` lists all."
    )


def find_nearest(name: str) -> tuple[str, ...]:
    """Return up to three names and references that resemble `name`.

    >>> find_nearest("albert.ag_news")[0]
    'en.classify.albert.ag_news'
    """
    known = {key.lower(): key for key in _index_by_name()}
    wanted = name.lower()
    containing = sorted((key for key in known if wanted and wanted in key), key=len)
    similar = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    return tuple(known[key] for key in dict.fromkeys([*containing, *similar]))[:3]


@functools.cache
def _index_by_name() -> dict[str, Card]:
    by_name: dict[str, Card] = {}
    for card in cards():
        for key in (card.name, *card.nlu_references):
            if key in by_name:
                raise CardError(
                    f"{by_name[key].name}.toml and {card.name}.toml both have the name {key}. "
                    f"Rename one."
                )
            by_name[key] = card
    return by_name
