"""A stage of a pyspark.ml pipeline that classifies texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol

from tfclf.decision import Rule, Threshold
from tfclf.errors import InputError
from tfclf.files import hash_file
from tfclf.saved_model.manifest import Manifest
from tfclf.spark.classification import classify
from tfclf.spark.persistence import Saved
from tfclf.spark.places import find_model
from tfclf.spark.storage import (
    INSIDE,
    REFERENCE,
    STORAGES,
    place_stored,
    remove_model,
    store_model,
)


class HasModel(Saved, Params):
    """A stage with a model, which is saved with it or by reference."""

    model = Param(
        Params._dummy(),
        "model",
        "the export: a folder, local:/path, files:NAME or a card's name, as in classify",
        TypeConverters.toString,
    )
    storage = Param(
        Params._dummy(),
        "storage",
        "'inside' copies the export into the saved pipeline, 'reference' stores where it is",
        TypeConverters.toString,
    )

    def setModel(self, value: str | Path) -> Any:
        """Set the export."""
        return self._set(model=str(value))

    def getModel(self) -> str:
        """Return the export. Raises: InputError if none was set."""
        if not self.isDefined(self.model):
            raise InputError(
                f"{type(self).__name__} has no model. Expected an export: "
                f'{type(self).__name__}(model="saved_models/NAME"), or setModel.'
            )
        return str(self.getOrDefault(self.model))

    def setStorage(self, value: str) -> Any:
        """Set how the pipeline saves the model. Raises: InputError."""
        if value not in STORAGES:
            raise InputError(f"storage is {value!r}; expected {' or '.join(map(repr, STORAGES))}.")
        return self._set(storage=value)

    def getStorage(self) -> str:
        """Return how the pipeline saves the model."""
        return str(self.getOrDefault(self.storage))

    def store(self, path: str, spark: Any) -> dict[str, Any]:
        """Copy the model into the saved folder, or state where it is."""
        place, manifest = find_model(self.getModel())
        if self.getStorage() == REFERENCE:
            return {"model": place}
        if manifest is None:
            raise InputError(
                f"The driver does not see the model {place}, so it cannot be copied into {path}. "
                f"Expected a folder, or storage='{REFERENCE}', which stores {place} itself."
            )
        version = Path(place)
        name = f"{manifest.name}-{hash_file(Manifest.path(version))[:12]}"
        store_model(spark, version, f"{path}/{name}")
        return {"model": name}

    def check_overwrite(self, path: str) -> None:
        """Refuse the folder that holds the model. Raises: InputError."""
        folder = Path(path.removeprefix("file:")).absolute()
        if self.isDefined(self.model) and Path(self.getModel()).absolute().is_relative_to(folder):
            raise InputError(
                f"{path} holds the model of this stage, {self.getModel()}, and Spark deletes a "
                f"folder before it overwrites it. Expected a new folder; save there, then move it."
            )

    def discard(self, path: str, stored: dict[str, Any], spark: Any) -> None:
        """Remove the copy of the model."""
        if self.getStorage() == INSIDE:
            remove_model(spark, f"{path}/{stored['model']}")

    def restore(self, path: str, spark: Any) -> None:
        """Find the model of a saved folder."""
        if self.getStorage() == INSIDE:
            self.setModel(place_stored(spark, f"{path}/{self.getModel()}"))


def _read_threshold(value: Any) -> Threshold | None:
    """Return a threshold as numbers that JSON can hold. Raises: InputError."""
    return Rule(threshold=value).threshold


class SequenceClassifier(Transformer, HasInputCol, HasOutputCol, HasModel):
    """Classify a column of texts; a stage of `pyspark.ml.Pipeline`.

    | Param | meaning | default |
    |-|-|-|
    | `model` | the export, as in `classify` | none |
    | `inputCol`, `outputCol` | the texts, and the struct of the prediction | text, prediction |
    | `batchSize` | rows in one call of the graph | 32 |
    | `maxLength` | tokens in a row, if fewer than the model's own limit | the model's |
    | `topK` | how many of the likeliest labels to list in `top` | none |
    | `threshold` | for a multi-label model, as in `classify`: which labels are in `labels` | none |
    | `abstainBelow` | below which probability the label is null, with the `reason` | none |
    | `long` | 'truncate' or 'windows' | truncate |
    | `onNull` | 'fail' or 'null' | fail |
    | `storage` | 'inside' or 'reference': how a saved pipeline keeps the model | inside |
    """

    batchSize = Param(
        Params._dummy(), "batchSize", "rows in one call of the graph", TypeConverters.toInt
    )
    maxLength = Param(
        Params._dummy(), "maxLength", "tokens in a row, at most the model's", TypeConverters.toInt
    )
    topK = Param(Params._dummy(), "topK", "how many labels to rank", TypeConverters.toInt)
    threshold = Param(
        Params._dummy(),
        "threshold",
        "probability from which a label counts: a number, one by label, a list, or 'calibrated'",
        _read_threshold,
    )
    abstainBelow = Param(
        Params._dummy(),
        "abstainBelow",
        "probability below which there is no label",
        TypeConverters.toFloat,
    )
    long = Param(Params._dummy(), "long", "'truncate' or 'windows'", TypeConverters.toString)
    onNull = Param(Params._dummy(), "onNull", "'fail' or 'null'", TypeConverters.toString)

    def __init__(self, **params: Any) -> None:
        """Set Params by name: `SequenceClassifier(model="saved_models/news", inputCol="title")`.

        Raises: InputError for a name that is no Param.
        """
        super().__init__()
        self._setDefault(
            inputCol="text",
            outputCol="prediction",
            batchSize=32,
            long="truncate",
            onNull="fail",
            storage=INSIDE,
        )
        unknown = sorted(name for name in params if not self.hasParam(name))
        if unknown:
            known = ", ".join(param.name for param in self.params)
            raise InputError(f"SequenceClassifier has no Param {unknown[0]!r}; it has {known}.")
        if "storage" in params:
            self.setStorage(params["storage"])
        self._set(**{name: _plain(value) for name, value in params.items()})

    def setInputCol(self, value: str) -> SequenceClassifier:
        """Set the column of texts."""
        return self._set(inputCol=value)  # type: ignore[no-any-return]

    def setOutputCol(self, value: str) -> SequenceClassifier:
        """Set the name of the new column."""
        return self._set(outputCol=value)  # type: ignore[no-any-return]

    def setBatchSize(self, value: int) -> SequenceClassifier:
        """Set the rows in one call of the graph."""
        return self._set(batchSize=value)  # type: ignore[no-any-return]

    def setMaxLength(self, value: int) -> SequenceClassifier:
        """Set the tokens in a row, special tokens included; at most the model's own limit."""
        return self._set(maxLength=value)  # type: ignore[no-any-return]

    def setTopK(self, value: int) -> SequenceClassifier:
        """Set how many of the likeliest labels to list."""
        return self._set(topK=value)  # type: ignore[no-any-return]

    def setThreshold(self, value: Threshold) -> SequenceClassifier:
        """Set the probability from which a label of a multi-label model counts."""
        return self._set(threshold=value)  # type: ignore[no-any-return]

    def setAbstainBelow(self, value: float) -> SequenceClassifier:
        """Set the probability below which there is no label."""
        return self._set(abstainBelow=value)  # type: ignore[no-any-return]

    def setLong(self, value: str) -> SequenceClassifier:
        """Set what to do with a text that is too long."""
        return self._set(long=value)  # type: ignore[no-any-return]

    def setOnNull(self, value: str) -> SequenceClassifier:
        """Set what to do with a null text."""
        return self._set(onNull=value)  # type: ignore[no-any-return]

    def _transform(self, dataset: Any) -> Any:
        return classify(
            dataset,
            self.getModel(),
            column=self.getInputCol(),
            output=self.getOutputCol(),
            on_null=self.getOrDefault(self.onNull),
            batch_size=self.getOrDefault(self.batchSize),
            long=self.getOrDefault(self.long),
            max_length=self._get(self.maxLength),
            top_k=self._get(self.topK),
            threshold=self._get(self.threshold),
            abstain_below=self._get(self.abstainBelow),
        )

    def _get(self, param: Any) -> Any:
        return self.getOrDefault(param) if self.isDefined(param) else None


# A saved pipeline names the class by this path, which stays when modules move.
SequenceClassifier.__module__ = "tfclf.spark"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
