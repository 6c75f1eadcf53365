"""Texts to try on the page of `tfclf serve`, in the model's language if a card states it."""

from collections.abc import Iterator, Mapping

from tfclf.catalog.cards import Card, cards
from tfclf.sample_texts import HEADLINES, PAIRS, REVIEWS
from tfclf.saved_model.manifest import Manifest

_MOST = 5


def find_page_examples(name: str, manifest: Manifest | None) -> list[Mapping[str, str]]:
    """Return a few texts for a model.

    A card states the language and what its model was trained on. Of another model only the labels
    are known: those of inference get pairs of sentences, the others headlines.

    >>> find_page_examples("roberta_base_sequence_classifier_imdb", None)[0]["text"]
    'The plot is thin, but the two leads carry every scene they share.'

    Args:
      name: as the server calls the model.
      manifest: of the export; its name is the folder's, which may be a card's.
    """
    card = _find_card({name, manifest.name if manifest else ""})
    if card is None:
        labels = {label.casefold() for label in (manifest.labels if manifest else ())}
        if "entailment" in labels:
            return [{"text": text, "text_pair": other} for text, other in PAIRS]
    return [{"text": text} for text in dict.fromkeys(_list_texts(card))]


def _find_card(names: set[str]) -> Card | None:
    return next((card for card in cards() if card.name in names), None)


def _list_texts(card: Card | None) -> Iterator[str]:
    if card is None or card.training.data_set == "ag_news":
        yield from HEADLINES[: _MOST - 1]
    else:
        yield from REVIEWS.get(card.language, HEADLINES)[: _MOST - 1]
    yield HEADLINES[_MOST] if card is None else card.example
