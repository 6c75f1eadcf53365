"""The sequence classifiers of Spark NLP, one class per family, on tfclf's models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from pyspark.ml.param import Param, Params, TypeConverters

from tfclf.errors import InputError
from tfclf.problem_types import MULTI_LABEL
from tfclf.saved_model.manifest import Manifest
from tfclf.spark.options import Options
from tfclf.spark.places import find_model
from tfclf.spark.sparknlp.annotation import CATEGORY, DOCUMENT, TOKEN
from tfclf.spark.sparknlp.classes import Classes
from tfclf.spark.sparknlp.importing import (
    find_pretrained,
    import_model,
    is_spark_nlp_model,
    read_parameters,
)
from tfclf.spark.sparknlp.stages import Stage
from tfclf.spark.storage import INSIDE
from tfclf.spark.transformer import HasModel

_log = logging.getLogger(__name__)
_ACTIVATIONS = ("softmax", "sigmoid")


class SequenceClassification(Stage, HasModel):
    """The base of the classifiers.

    Attributes:
      family: the model_type that the class is for.
    """

    takes: ClassVar[tuple[str, ...]] = (DOCUMENT, TOKEN)
    gives: ClassVar[str] = CATEGORY
    expensive: ClassVar[bool] = True
    family: ClassVar[str]
    instead: ClassVar[dict[str, str]] = {
        "configProtoBytes": "TensorFlow gets the cores that spark.task.cpus gives to a task.",
        "signatures": "An export states its signatures: tfclf show.",
        "lazyAnnotator": "There are no recursive pipelines; leave it out.",
        "engine": "TensorFlow runs every model.",
        "dimension": "No embeddings are given out; leave it out.",
    }

    caseSensitive = Param(
        Params._dummy(), "caseSensitive", "noted; the model decides", TypeConverters.toBoolean
    )
    maxSentenceLength = Param(
        Params._dummy(), "maxSentenceLength", "tokens in a row", TypeConverters.toInt
    )
    batchSize = Param(Params._dummy(), "batchSize", "rows in one call", TypeConverters.toInt)
    coalesceSentences = Param(
        Params._dummy(), "coalesceSentences", "one class per document", TypeConverters.toBoolean
    )
    activation = Param(
        Params._dummy(), "activation", "the model's: softmax or sigmoid", TypeConverters.toString
    )
    multilabel = Param(
        Params._dummy(), "multilabel", "whether it is a multi-label model", TypeConverters.toBoolean
    )
    threshold = Param(
        Params._dummy(), "threshold", "above it a label counts", TypeConverters.toFloat
    )

    def __init__(self) -> None:
        """Set the defaults."""
        super().__init__()
        self._setDefault(
            batchSize=32, coalesceSentences=False, threshold=0.5, storage=INSIDE, outputCol="class"
        )

    @classmethod
    def pretrained(
        cls, name: str | None = None, lang: str = "en", remote_loc: str | None = None
    ) -> Any:
        """Return the classifier of a card whose model is on this machine.

        Args:
          name: the card's name or NLU reference.
          lang: the card's language.
          remote_loc: refused: nothing is downloaded here.
        Raises: SourceNotFoundError, which says how to get the model; InputError.
        """
        if name is None:
            raise InputError(
                f"{cls.__name__}.pretrained got no name, and there is no default model here. Give "
                f"a card's name; `tfclf cards` lists them."
            )
        if remote_loc is not None:
            raise InputError(
                f"remote_loc is {remote_loc!r}; pretrained downloads nothing here. Leave it out, "
                f"and get the model first: tfclf pull {name}"
            )
        return cls._import(find_pretrained(name, lang), name)

    @classmethod
    def load(cls, path: str) -> Any:
        """Load a stage that tfclf saved, or a model that Spark NLP saved (a folder or a zip).

        Raises: SourceError, InputError.
        """
        local = Path(path.removeprefix("file:"))
        if local.exists() and is_spark_nlp_model(local):
            return cls._import(local, local.name.removesuffix(".zip"))
        return cls.read().load(path)

    @classmethod
    def loadSavedModel(cls, folder: str, spark_session: Any = None) -> Any:  # noqa: ARG003
        """Return the classifier of an export, or of a checkpoint, which is exported once.

        Spark NLP takes the SavedModel of transformers with its `assets` here. Give the checkpoint
        that it was made from, or its export.

        Raises: SourceError, TokenizerError, InputError.
        """
        local = Path(str(folder).removeprefix("file:"))
        return cls._import(local, local.name)

    @classmethod
    def _import(cls, source: Path, name: str) -> Any:
        version = import_model(source, name, family=cls.family, annotator=cls.__name__)
        stage = cls().setModel(version)
        stored = read_parameters(source, cls.__name__)
        # The length limit, the case and the activation are in the export already.
        for parameter in ("coalesceSentences", "threshold"):
            if parameter in stored:
                stage._set(**{parameter: stored[parameter]})
        return stage

    def getClasses(self) -> list[str]:
        """Return the labels, in the order of the model's outputs."""
        return list(self._manifest().labels)

    def setCaseSensitive(self, value: bool) -> Any:
        """Note what the caller expects; the tokenizer of the model's training decides."""
        _log.info(
            "%s: caseSensitive=%s is noted; the model keeps the case of its training",
            type(self).__name__,
            value,
        )
        return self._set(caseSensitive=value)

    def getCaseSensitive(self) -> bool:
        """Return what `setCaseSensitive` noted."""
        return bool(self._demand(self.caseSensitive, "setCaseSensitive"))

    def setMaxSentenceLength(self, value: int) -> Any:
        """Set the tokens in a row, special tokens included; at most the model's own limit."""
        return self._set(maxSentenceLength=value)

    def getMaxSentenceLength(self) -> int:
        """Return the tokens in a row: what was set, else the model's own limit."""
        if self.isDefined(self.maxSentenceLength):
            return int(self.getOrDefault(self.maxSentenceLength))
        return self._manifest().max_length

    def setBatchSize(self, value: int) -> Any:
        """Set the rows in one call of the graph."""
        return self._set(batchSize=value)

    def getBatchSize(self) -> int:
        """Return the rows in one call of the graph."""
        return int(self.getOrDefault(self.batchSize))

    def setCoalesceSentences(self, value: bool) -> Any:
        """Set whether a document gets one class, of the mean of its sentences."""
        return self._set(coalesceSentences=value)

    def getCoalesceSentences(self) -> bool:
        """Return whether a document gets one class."""
        return bool(self.getOrDefault(self.coalesceSentences))

    def setActivation(self, value: str) -> Any:
        """State the activation, which must be the model's. Raises: InputError."""
        if value not in _ACTIVATIONS:
            raise InputError(f"activation is {value!r}; expected {' or '.join(_ACTIVATIONS)}.")
        return self._set(activation=value)

    def setMultilabel(self, value: bool) -> Any:
        """State whether the model is a multi-label one, which must be so."""
        return self._set(multilabel=value)

    def setThreshold(self, value: float) -> Any:
        """Set the probability above which a label of a multi-label model counts."""
        return self._set(threshold=value)

    def make_annotator(self) -> Classes:
        """Return the work of the stage. Raises: InputError, SourceError."""
        place, manifest = find_model(self.getModel())
        length = None
        if self.isDefined(self.maxSentenceLength):
            length = int(self.getOrDefault(self.maxSentenceLength))
        options = Options(batch_size=self.getBatchSize(), max_length=length)
        options.check()
        if manifest is not None:
            options.check_model(manifest)
            self._check_activation(manifest)
        threshold = float(self.getOrDefault(self.threshold))
        return Classes(place, options, self.getCoalesceSentences(), threshold)

    def _manifest(self) -> Manifest:
        place, manifest = find_model(self.getModel())
        if manifest is None:
            raise InputError(
                f"The driver does not see the model {place}, so its labels are not known here. "
                f"Load it from a folder that the driver sees, too."
            )
        return manifest

    def _check_activation(self, manifest: Manifest) -> None:
        is_multi_label = manifest.problem_type == MULTI_LABEL
        own = "sigmoid" if is_multi_label else "softmax"
        stated = {
            "activation": (own, "exported as a model for that problem type"),
            "multilabel": (is_multi_label, "exported as a model for that problem type"),
        }
        for name, (expected, how) in stated.items():
            param = self.getParam(name)
            if self.isDefined(param) and self.getOrDefault(param) != expected:
                raise InputError(
                    f"{name} is {self.getOrDefault(param)!r}, and {manifest.name} is a model for "
                    f"{manifest.problem_type}; expected {expected!r}. The checkpoint's "
                    f"problem_type decides: leave the setter out, or use a checkpoint that was "
                    f"{how}."
                )


class AlbertForSequenceClassification(SequenceClassification):
    """ALBERT."""

    family = "albert"


class BertForSequenceClassification(SequenceClassification):
    """BERT."""

    family = "bert"


class CamemBertForSequenceClassification(SequenceClassification):
    """CamemBERT."""

    family = "camembert"


class DistilBertForSequenceClassification(SequenceClassification):
    """DistilBERT."""

    family = "distilbert"


class RoBertaForSequenceClassification(SequenceClassification):
    """RoBERTa."""

    family = "roberta"


class XlmRoBertaForSequenceClassification(SequenceClassification):
    """XLM-RoBERTa."""

    family = "xlm-roberta"


for _class in SequenceClassification.__subclasses__():
    _class.__module__ = "tfclf.spark.sparknlp"
