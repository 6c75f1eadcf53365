"""The published models by name: what they do, where they are, how to train them again, what they reached.

One TOML file a card, beside this one. A new card is a new file; nothing else names them.
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
    """Every card, by name. Raises: CardError for a file that is no card."""
    return tuple(read(path) for path in sorted(Path(__file__).parent.glob("*.toml")))


def is_name(source: object) -> bool:
    """Whether a card answers to it, by its name or by an NLU reference."""
    return isinstance(source, str) and source in _by_name()


def find(name: str) -> Card:
    """The card of that name or NLU reference.

    >>> find("en.classify.albert.ag_news").family
    'albert'

    Raises: SourceNotFoundError, which names the nearest ones.
    """
    if is_name(name):
        return _by_name()[name]
    near = nearest(name)
    hint = (
        f"Nearest: {', '.join(near)}"
        if near
        else f"There are: {', '.join(card.name for card in cards())}"
    )
    raise SourceNotFoundError(
        f"No card has the name or the NLU reference {name!r}. {hint}. `tfclf cards` lists all."
    )


def nearest(name: str) -> tuple[str, ...]:
    """Names and references that look most like it, three at most; empty where none does."""
    known = {key.lower(): key for key in _by_name()}
    wanted = name.lower()
    holding = sorted((key for key in known if wanted and wanted in key), key=len)
    alike = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    return tuple(known[key] for key in dict.fromkeys([*holding, *alike]))[:3]


@functools.cache
def _by_name() -> dict[str, Card]:
    found: dict[str, Card] = {}
    for card in cards():
        for key in (card.name, *card.nlu_references):
            if key in found:
                raise CardError(
                    f"{found[key].name}.toml and {card.name}.toml both answer to {key}. Rename one."
                )
            found[key] = card
    return found
