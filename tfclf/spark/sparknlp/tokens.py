"""Tokenizer: Spark NLP's words. The classifiers do not read them; other code may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pyspark.ml.param import Param, Params, TypeConverters

from tfclf.errors import InputError
from tfclf.spark.sparknlp.annotation import TOKEN, Annotation, Rows, count_units, number_units
from tfclf.spark.sparknlp.stages import Stage

_CONTEXT = [".", ",", ";", ":", "!", "?", "*", "-", "(", ")", '"', "'"]
_CANDIDATE = re.compile(r"[^ \t\n\x0b\f\r]+")  # Java's \S+
_UNUSED = "The classifiers use the tokenizer of their training, so it would change no prediction."


class Tokenizer(Stage):
    """Split documents into words by Spark NLP's default rules.

    Source: Spark NLP 5.5.3, Tokenizer.buildRuleFactory and TokenizerModel.tag.
    """

    gives: ClassVar[str] = TOKEN
    instead: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            "targetPattern",
            "prefixPattern",
            "suffixPattern",
            "infixPatterns",
            "infixPattern",
            "exceptions",
            "exception",
            "exceptionsPath",
            "caseSensitiveExceptions",
            "splitPattern",
            "splitChars",
        ),
        f"{_UNUSED} Leave it out.",
    )

    contextChars = Param(
        Params._dummy(),
        "contextChars",
        "characters that are split off a word's start and end",
        TypeConverters.toListString,
    )
    minLength = Param(Params._dummy(), "minLength", "of a token", TypeConverters.toInt)
    maxLength = Param(Params._dummy(), "maxLength", "of a token", TypeConverters.toInt)

    def __init__(self) -> None:
        """Set the defaults."""
        super().__init__()
        self._setDefault(outputCol="token", contextChars=_CONTEXT, minLength=0, maxLength=99_999)

    def setContextChars(self, value: list[str]) -> Tokenizer:
        """Set the characters that are split off a word's start and end. Raises: InputError."""
        if any(len(character) != 1 for character in value):
            raise InputError(f"contextChars is {value!r}; expected strings of one character each.")
        return self._set(contextChars=value)  # type: ignore[no-any-return]

    def getContextChars(self) -> list[str]:
        """Return the characters that are split off a word's start and end."""
        return list(self.getOrDefault(self.contextChars))

    def setMinLength(self, value: int) -> Tokenizer:
        """Set the length below which a token is dropped."""
        return self._set(minLength=value)  # type: ignore[no-any-return]

    def setMaxLength(self, value: int) -> Tokenizer:
        """Set the length above which a token is dropped."""
        return self._set(maxLength=value)  # type: ignore[no-any-return]

    def fit(self, dataset: Any, params: Any = None) -> Tokenizer:  # noqa: ARG002
        """Return a copy: there is nothing to learn, but Spark NLP's tokenizer is fitted."""
        return self.copy(params)  # type: ignore[no-any-return]

    def make_annotator(self) -> Words:
        """Return the rules with the Params as they are."""
        return Words(
            "".join(self.getContextChars()),
            self.getOrDefault(self.minLength),
            self.getOrDefault(self.maxLength),
        )


@dataclass(frozen=True)
class Words:
    """Split the sentences of each row into words."""

    context: str
    shortest: int
    longest: int

    def annotate(self, rows: Rows) -> Rows:
        """Return the tokens of each row."""
        return [[token for sentence in row for token in self._split(sentence)] for row in rows]

    def _split(self, sentence: Annotation) -> Iterator[Annotation]:
        places = number_units(sentence.result)
        number = {"sentence": sentence.metadata.get("sentence", "0")}
        for match in _CANDIDATE.finditer(sentence.result):
            start = match.start()
            for part in split_word(match[0], self.context):
                begin, end = places[start], places[start + len(part)] - 1
                start += len(part)
                if self.shortest <= count_units(part) <= self.longest:
                    yield Annotation(
                        TOKEN, sentence.begin + begin, sentence.begin + end, part, dict(number)
                    )


def split_word(word: str, context: str) -> list[str]:
    """Split the context characters off a word's start and end, each run as one token.

    >>> split_word("(said).", "().,'"), split_word("...", "."), split_word("didn't", "'")
    (['(', 'said', ').'], ['...'], ["didn't"])
    """
    inner = word.lstrip(context)
    if not inner:
        return [word]
    before = word[: len(word) - len(inner)]
    core = inner.rstrip(context)
    return [part for part in (before, core, inner[len(core) :]) if part]


Tokenizer.__module__ = "tfclf.spark.sparknlp"
