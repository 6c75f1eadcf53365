"""A model card as records."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Archive:
    """The archive of the published model.

    Attributes:
      url: address of the zip that Spark NLP wrote.
      size: as the card prints it ("44.9 MB"); None if it does not.
      sha256: of the zip; None if nobody has published it.
    """

    url: str
    size: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class SparkNlp:
    """The model in Spark NLP."""

    annotator: str
    compatibility: str


@dataclass(frozen=True)
class Training:
    """How to train such a model.

    Attributes:
      data_set: name of the data set; `tfclf.data` reads its files.
      test_rows: rows of the split behind the published metrics.
      base_model: hub id of the checkpoint to start from; None if there is no such checkpoint.
      recipe: fields of `tfclf.training.Recipe`.
      assumed: fields of the recipe that the card does not state; their values were chosen here.
    """

    data_set: str
    test_rows: int
    recipe: Mapping[str, Any]
    base_model: str | None = None
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """One model card; a TOML file in this package, whose keys are these attributes.

    Attributes:
      name: of the model, and of the file.
      title, description: for people.
      nlu_references: the names for `nlu.load`: "en.classify.albert.ag_news".
      language: ISO 639-1.
      family: transformers' model_type.
      case_sensitive: whether the tokenizer keeps upper case.
      labels: in the order of the card; the checkpoint has its own order of outputs.
      max_length: tokens in a row, special tokens included.
      licence: as published.
      published: the day.
      example: the text of the card's own snippet.
      training: how to train such a model.
      metrics: the published figures, under the card's names for them.
      metrics_by_class: label to precision, recall, f1-score and support; empty if unpublished.
      spark_nlp: the model in Spark NLP; None if it is not there.
      archive: the archive of the published model; None if there is none.
      hub_model: hub id of the fine-tuned checkpoint; None if it is unknown.
      saved_model: folder of an export in this project's repository; None if there is none.
      notes: remarks needed to read the card's figures.
    """

    name: str
    title: str
    description: str
    nlu_references: tuple[str, ...]
    language: str
    family: str
    case_sensitive: bool
    labels: tuple[str, ...]
    max_length: int
    licence: str
    published: date
    example: str
    training: Training
    metrics: Mapping[str, float]
    metrics_by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    spark_nlp: SparkNlp | None = None
    archive: Archive | None = None
    hub_model: str | None = None
    saved_model: str | None = None
    notes: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the card as `tfclf cards NAME --json` prints it."""
        return {**dataclasses.asdict(self), "published": self.published.isoformat()}
