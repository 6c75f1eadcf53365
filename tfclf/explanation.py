"""Explanation: the result of `explain` for one text: how much each word moved the label."""

import html
import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfclf.prediction import Prediction, make_predictions

_SHOWN = 5  # words in the short form
# Opaque enough to be seen on a white and on a black page, and to leave the text legible on both.
_STRONGEST_SHADE = 0.55
_SUPPORTS, _OPPOSES = "34,139,80", "208,80,40"


@dataclass(frozen=True)
class Word:
    """One word of a text, and its effect.

    Attributes:
      text: the word; it equals text[start:end] of its text.
      start, end: the word's place, in characters.
      effect: the predicted label's logit of the whole text, minus that of the text without the
        word. Above 0 the word supports the label, below 0 it opposes it.
      effects: the same for each label's logit, by label, in the checkpoint's order.
      place: 0 for a word of the text, 1 for a word of its pair.
    """

    text: str
    start: int
    end: int
    effect: float
    effects: Mapping[str, float]
    place: int = 0


@dataclass(frozen=True, repr=False)
class Explanation:
    """How much each word of a text moved the logit of the predicted label.

    Attributes:
      text: the text. A byte that is not UTF-8 is shown as U+FFFD.
      text_pair: the second text of a pair; None without one.
      prediction: what `predict` returns for the text.
      words: in the order of the text, the text's before the pair's.
      complete: whether these are all words. Of a very long text only those are explained that the
        model is sure to read, 512 at most.
    """

    text: str
    text_pair: str | None
    prediction: Prediction
    words: tuple[Word, ...]
    complete: bool = True

    def strongest(self, count: int = _SHOWN) -> list[Word]:
        """Return the words with the largest effects in either direction, the largest first."""
        return sorted(self.words, key=lambda word: -abs(word.effect))[:count]

    def __repr__(self) -> str:
        """Return a short form: the label, and the five words that moved it most.

        >>> words = (Word("Late", 0, 4, 0.03125, {}), Word("goal", 5, 9, 1.5, {}))
        >>> Explanation("Late goal", None, Prediction("Sports", 0.98471, None), words)
        Explanation(label='Sports', score=0.9847, words=2, strongest: 'goal' +1.5, 'Late' +0.0312)
        """
        strongest = ", ".join(f"{word.text!r} {word.effect:+.3g}" for word in self.strongest())
        return (
            f"Explanation(label={self.prediction.label!r}, "
            f"score={round(float(self.prediction.score), 4)!r}, words={len(self.words)}, "
            f"strongest: {strongest or 'none'})"
        )

    def _repr_html_(self) -> str:
        """Return the text for a notebook, with a shade on each word."""
        texts = [self.text] if self.text_pair is None else [self.text, self.text_pair]
        strongest = max((abs(word.effect) for word in self.words), default=0.0)
        paragraphs = "".join(
            f'<p dir="auto" style="white-space:pre-wrap;line-height:1.8;margin:.3em 0">'
            f"{make_heat(text, [word for word in self.words if word.place == place], strongest)}"
            f"</p>"
            for place, text in enumerate(texts)
        )
        label = html.escape(self.prediction.label)
        rest = (
            "" if self.complete else "<p><small>Only a part of the words is explained.</small></p>"
        )
        return (
            f"<div><p><b>{label}</b> {self.prediction.score:.4f} <small>(solid line: the word "
            f"supports {label}; dotted line: it opposes it; hover for its effect on the logit)"
            f"</small></p>{paragraphs}{rest}</div>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `tfclf explain --json` prints.

        >>> words = (Word("goal", 0, 4, 1.5, {"World": -0.5, "Sports": 1.5}),)
        >>> Explanation("goal", None, Prediction("Sports", 0.75, None), words).to_dict()
        {'text': 'goal', 'label': 'Sports', 'score': 0.75, 'truncated': None,
         'words': [{'text': 'goal', 'start': 0, 'end': 4, 'effect': 1.5,
                    'effects': {'World': -0.5, 'Sports': 1.5}}], 'complete': True}
        """
        content: dict[str, Any] = {"text": self.text}
        if self.text_pair is not None:
            content["text_pair"] = self.text_pair
        content |= self.prediction.to_dict()
        content["words"] = [self._word_to_dict(word) for word in self.words]
        content["complete"] = self.complete
        return content

    def _word_to_dict(self, word: Word) -> dict[str, Any]:
        content = {
            "text": word.text,
            "start": word.start,
            "end": word.end,
            "effect": word.effect,
            "effects": dict(word.effects),
        }
        if self.text_pair is not None:
            content["place"] = word.place
        return content


def make_explanations(
    outputs: Mapping[str, Iterable[Any]],
    texts: Sequence[Sequence[bytes]],
    labels: Sequence[str],
) -> Iterator[Explanation]:
    """Make one Explanation per row of the outputs of a signature that explains.

    Args:
      outputs: by name, one entry per row, as nested lists.
      texts: the texts, and the pairs if there are any, one per row.
      labels: in the order of the logits; empty for a regression, whose rows name their one label.
    """
    none = itertools.repeat(None)
    columns = [outputs[name] for name in ("words", "starts", "ends", "effects", "word_count")]
    for row, prediction, words, starts, ends, effects, count, places, complete in zip(
        zip(*texts, strict=True),
        make_predictions(outputs, labels),
        *columns,
        outputs.get("places", none),
        outputs["complete"],
        strict=False,
    ):
        names = labels or [prediction.label]
        predicted = names.index(prediction.label)
        listed = tuple(
            Word(
                words[index].decode(),
                starts[index],
                ends[index],
                effects[index][predicted],
                dict(zip(names, effects[index], strict=True)),
                places[index] if places else 0,
            )
            for index in range(count)
        )
        text, *pair = (one.decode("utf-8", "replace") for one in row)
        yield Explanation(text, pair[0] if pair else None, prediction, listed, bool(complete))


def make_heat(text: str, words: Iterable[Word], strongest: float) -> str:
    """Mark each word of a text in HTML: by shade and line, with its effect as a tooltip.

    >>> make_heat("a <b>", [Word("a", 0, 1, 2.0, {})], 2.0)
    '<span title="+2" style="background:rgba(34,139,80,0.55);border-bottom:2px solid
    rgb(34,139,80)">a</span> &lt;b&gt;'

    Args:
      words: in the order of the text.
      strongest: the effect that gets the darkest shade; words with less than 1/20 of it get none.
    """
    pieces, done = [], 0
    for word in words:
        pieces.append(_escape(text[done : word.start]))
        piece, done = _escape(text[word.start : word.end]), word.end
        share = abs(word.effect) / strongest if strongest else 0.0
        if share < 0.05:
            pieces.append(piece)
            continue
        colour, line = (_SUPPORTS, "solid") if word.effect > 0 else (_OPPOSES, "dotted")
        pieces.append(
            f'<span title="{word.effect:+.3g}" style="background:rgba({colour},'
            f"{min(share, 1.0) * _STRONGEST_SHADE:.2f});border-bottom:2px {line} "
            f'rgb({colour})">{piece}</span>'
        )
    return "".join([*pieces, _escape(text[done:])])


def _escape(text: str) -> str:
    """Escape a text for HTML; control characters, which a page may not hold, become U+FFFD."""
    return html.escape(
        "".join(
            "\ufffd" if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t" else one
            for one in text
        )
    )
