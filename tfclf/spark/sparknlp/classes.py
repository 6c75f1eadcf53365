"""Classify the sentences of rows: annotations of labels, as Spark NLP makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfclf.problem_types import MULTI_LABEL
from tfclf.spark.options import Options
from tfclf.spark.scoring import score_texts
from tfclf.spark.sparknlp.annotation import CATEGORY, Annotation, Rows, format_float


@dataclass(frozen=True)
class Classes:
    """Classify the sentences of each row.

    Source: Spark NLP 5.5.3, XXXForClassification.predictSequence.

    Attributes:
      place: the model's, for the executors.
      options: batch size and length limit.
      coalesce: whether a row gets one annotation, of the mean of its sentences' probabilities.
      threshold: for a multi-label model: above it a label gets an annotation.
    """

    place: str
    options: Options
    coalesce: bool
    threshold: float

    def annotate(self, rows: Rows) -> Rows:
        """Return the classes of each row; a sentence of white space alone has none."""
        from tfclf.spark.worker import load_model

        kept = [[sentence for sentence in row if sentence.result.strip()] for row in rows]
        texts = [
            sentence.result.encode("utf-8", "surrogatepass") for row in kept for sentence in row
        ]
        if not texts:
            return [[] for _ in rows]
        model = load_model(self.place)
        columns = score_texts(model, texts, self.options)
        # A regression has no probabilities; its value stands in their place.
        scores = columns.get("probabilities", columns["score"].reshape(-1, 1))
        is_multi_label = model.manifest.problem_type == MULTI_LABEL
        found: Rows = []
        done = 0
        for row in kept:
            values = scores[done : done + len(row)]
            done += len(row)
            sentences = row
            if self.coalesce and row:
                sentences, values = row[:1], values.mean(axis=0, keepdims=True)
            found.append(
                [
                    annotation
                    for sentence, value in zip(sentences, values, strict=True)
                    for annotation in self._label(sentence, value, model.labels, is_multi_label)
                ]
            )
        return found

    def _label(
        self, sentence: Annotation, scores: Any, labels: Sequence[str], is_multi_label: bool
    ) -> list[Annotation]:
        facts = {"sentence": sentence.metadata.get("sentence", "0")}
        facts |= {label: format_float(score) for label, score in zip(labels, scores, strict=True)}
        if is_multi_label:
            chosen = [labels[index] for index in np.flatnonzero(scores > self.threshold).tolist()]
        else:
            chosen = [labels[int(scores.argmax())]]
        return [
            Annotation(CATEGORY, sentence.begin, sentence.end, label, dict(facts))
            for label in chosen
        ]
