"""What a model card says, as records."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Archive:
    """Where the published model is.

    Attributes:
      url: address of the zip that Spark NLP wrote.
      size: as the card prints it ("44.9 MB"); None where it does not.
      sha256: of the zip; None where nobody has published it.
    """

    url: str
    size: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class SparkNlp:
    """How the old system knows the model."""

    annotator: str
    compatibility: str


@dataclass(frozen=True)
class Training:
    """How to get such a model oneself.

    Attributes:
      data_set: name of the data set; `tfclf.data` reads its files.
      test_rows: rows of the split that the published metrics are of.
      base_model: hub id of the checkpoint to start from; None where there is no such checkpoint.
      recipe: fields of `tfclf.training.Recipe`.
      assumed: which of these the card does not say, so that they were chosen here.
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
      nlu_references: what `nlu.load` takes: "en.classify.albert.ag_news".
      language: ISO 639-1.
      family: transformers' model_type.
      case_sensitive: whether the tokenizer keeps upper case.
      labels: in the order of the card; the order of the head's outputs is the checkpoint's own.
      max_length: tokens in a row, special tokens included.
      licence: as published.
      published: the day.
      example: the text of the card's own snippet.
      training: how to get such a model oneself.
      metrics: the published figures, under the card's names for them.
      metrics_by_class: label to precision, recall, f1-score and support, where they are published.
      spark_nlp: how the old system knows the model; None where it does not.
      archive: where the published model is; None where there is none.
      hub_model: hub id of the fine-tuned checkpoint; None where it is not known.
      saved_model: folder of an export in this project's repository; None where there is none.
      notes: what one should know to read the card's figures.
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
        """As `tfclf cards NAME --json` prints it."""
        return {**dataclasses.asdict(self), "published": self.published.isoformat()}
