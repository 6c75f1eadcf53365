"""The Python of a model card, which both contenders run: only the imports differ."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pyspark.ml import Pipeline

from bench.peers.engine import Array, Classify

MASTER = "local[2]"


def make_pipeline(annotators: Any, classifier: Any) -> Pipeline:
    """Return a card's pipeline.

    Args:
      annotators: holds the classes, those of Spark NLP or ours.
    """
    document_assembler = annotators.DocumentAssembler().setInputCol("text").setOutputCol("document")
    tokenizer = annotators.Tokenizer().setInputCols(["document"]).setOutputCol("token")
    classifier = (
        classifier.setInputCols(["token", "document"])
        .setOutputCol("class")
        .setCaseSensitive(False)
        .setMaxSentenceLength(512)
    )
    return Pipeline(stages=[document_assembler, tokenizer, classifier])


def classify_by(session: Any, pipeline: Pipeline, labels: Sequence[str]) -> Classify:
    """Return a pipeline as a function from texts to logits, up to a number per text."""
    model = pipeline.fit(_frame(session, ["a text"]))

    def score(frame: Any) -> list[dict[str, str]]:
        rows = model.transform(frame).select("class.metadata").collect()
        return [row.metadata[0] for row in rows]

    return from_probabilities(session, score, labels)


def from_probabilities(
    session: Any, score: Callable[[Any], list[Any]], labels: Sequence[str]
) -> Classify:
    """Return scoring of a DataFrame as a function of texts; both tasks have run once then.

    Spark ends Python workers that were idle for a minute; so before a turn they are warmed again.
    """

    def classify(texts: Sequence[str]) -> Array:
        found = score(_frame(session, texts))
        logits: Array = np.log([[float(one[label]) for label in labels] for one in found])
        return logits

    classify(["Late goal wins the cup", "Shares jump after earnings"])
    return classify


def _frame(session: Any, texts: Sequence[str]) -> Any:
    return session.createDataFrame([[text] for text in texts], ["text"])
