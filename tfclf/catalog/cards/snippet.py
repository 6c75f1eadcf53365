"""The commands and the Python that run a card's model here."""

from tfclf.catalog.cards.card import Card


def shell(card: Card) -> str:
    """Return the command that gets the model; empty for a bundled one."""
    if card.saved_model is not None:
        return ""
    if card.archive is not None or card.hub_model is not None:
        return f"tfclf pull {reference(card)}"
    return f"tfclf train --card {card.name} --data FOLDER --output {card.name}"


def python(card: Card) -> str:
    """Return the card's own example in Python."""
    quote = '"""' if '"' in card.example else '"'
    text = f"{quote}{card.example}{quote}"
    return f'import tfclf\n\ntfclf.load("{reference(card)}").predict([{text}])'


def reference(card: Card) -> str:
    """Return the name that people type: the NLU reference if there is one."""
    return card.nlu_references[0] if card.nlu_references else card.name
