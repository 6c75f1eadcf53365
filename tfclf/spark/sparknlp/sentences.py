"""SentenceDetector: documents to sentences, by the rules of the package sentencex."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pyspark.ml.param import Param, Params, TypeConverters

from tfclf.errors import MissingExtraError
from tfclf.spark.sparknlp.annotation import DOCUMENT, Annotation, Rows, count_units, number_units
from tfclf.spark.sparknlp.stages import TYPE, Stage

_RULES = "The rules are those of the package sentencex for the language: setLanguage."


class SentenceDetector(Stage):
    """Split documents into sentences.

    The rules are those of sentencex, which the Wikimedia Foundation keeps. They are not Spark NLP's
    own, so a boundary may lie elsewhere.
    """

    gives: ClassVar[str] = DOCUMENT
    instead: ClassVar[dict[str, str]] = {
        "useAbbreviations": f"{_RULES} They know abbreviations.",
        "detectLists": _RULES,
        "customBounds": f"{_RULES} Split at other marks before the pipeline, or use Spark NLP.",
        "useCustomBoundsOnly": _RULES,
        "splitLength": 'Long texts are read whole by tfclf.spark.classify(..., long="windows").',
    }

    language = Param(Params._dummy(), "language", "ISO 639-1, such as en", TypeConverters.toString)
    minLength = Param(Params._dummy(), "minLength", "of a sentence", TypeConverters.toInt)
    maxLength = Param(Params._dummy(), "maxLength", "of a sentence", TypeConverters.toInt)
    explodeSentences = Param(
        Params._dummy(), "explodeSentences", "one row per sentence", TypeConverters.toBoolean
    )

    def __init__(self) -> None:
        """Set the defaults."""
        super().__init__()
        self._setDefault(
            outputCol="sentence",
            language="en",
            minLength=0,
            maxLength=99_999,
            explodeSentences=False,
        )

    def setLanguage(self, value: str) -> SentenceDetector:
        """Set the language of the rules, ISO 639-1; not a parameter of Spark NLP."""
        return self._set(language=value)  # type: ignore[no-any-return]

    def setMinLength(self, value: int) -> SentenceDetector:
        """Set the length below which a sentence is dropped."""
        return self._set(minLength=value)  # type: ignore[no-any-return]

    def setMaxLength(self, value: int) -> SentenceDetector:
        """Set the length above which a sentence is dropped."""
        return self._set(maxLength=value)  # type: ignore[no-any-return]

    def setExplodeSentences(self, value: bool) -> SentenceDetector:
        """Set whether each sentence gets a row of its own."""
        return self._set(explodeSentences=value)  # type: ignore[no-any-return]

    def make_annotator(self) -> Sentences:
        """Return the rules with the Params as they are. Raises: MissingExtraError."""
        try:
            import sentencex  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                "sentencex", extra="spark", purpose="SentenceDetector"
            ) from error
        return Sentences(
            self.getOrDefault(self.language),
            self.getOrDefault(self.minLength),
            self.getOrDefault(self.maxLength),
        )

    def _transform(self, dataset: Any) -> Any:
        from pyspark.sql import functions

        split = super()._transform(dataset)
        if not self.getOrDefault(self.explodeSentences):
            return split
        output = self.getOutputCol()
        sentence = functions.explode(split[output])
        rows = split.withColumn(output, sentence)
        return rows.withColumn(
            output, functions.array(rows[output]).alias(output, metadata={TYPE: DOCUMENT})
        )


@dataclass(frozen=True)
class Sentences:
    """Split the documents of each row into sentences."""

    language: str
    shortest: int
    longest: int

    def annotate(self, rows: Rows) -> Rows:
        """Return the sentences of each row."""
        return [self._number(row) for row in rows]

    def _number(self, documents: list[Annotation]) -> list[Annotation]:
        found = [sentence for document in documents for sentence in self._split(document)]
        for number, sentence in enumerate(found):
            sentence.metadata = {"sentence": str(number)}
        return found

    def _split(self, document: Annotation) -> Iterator[Annotation]:
        import sentencex

        places = number_units(document.result)
        start = 0
        for part in sentencex.segment(self.language, document.result):
            text = part.strip()
            first = start + len(part) - len(part.lstrip())
            start += len(part)
            if text and self.shortest <= count_units(text) <= self.longest:
                begin, end = places[first], places[first + len(text)] - 1
                yield Annotation(DOCUMENT, document.begin + begin, document.begin + end, text, {})


SentenceDetector.__module__ = "tfclf.spark.sparknlp"
