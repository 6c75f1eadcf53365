"""A model's `metadata`: its annotator class and parameters, or the stages of a pipeline."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfclf.checkpoints.spark_nlp.annotators import (
    ANNOTATORS,
    HARMLESS_STAGES,
    PIPELINE,
    Annotator,
    short_name,
)
from tfclf.checkpoints.spark_nlp.archive import NamedPath
from tfclf.errors import CheckpointError
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL

_MOST_BYTES = 1 << 24
_MAX_LENGTH = 128  # the default of all of these annotators
_PROBLEM_TYPES = {"softmax": SINGLE_LABEL, "sigmoid": MULTI_LABEL}


@dataclass(frozen=True)
class Metadata:
    """An annotator's class and parameters.

    Attributes:
      folder: the model's; in a pipeline, its stage's.
      parameters: those that were set, and Spark NLP's defaults when it was saved for the rest.
    """

    folder: NamedPath
    class_name: str
    annotator: Annotator
    parameters: Mapping[str, Any]

    @property
    def path(self) -> NamedPath:
        """The folder of the metadata, for error messages."""
        return self.folder / "metadata"

    @property
    def max_length(self) -> int:
        """Tokens in a row, special tokens included. Raises: CheckpointError."""
        length = self.parameters.get("maxSentenceLength", _MAX_LENGTH)
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise CheckpointError(
                f"{self.path}: maxSentenceLength is {length!r}; expected a whole number above 0."
            )
        return length

    @property
    def case_sensitive(self) -> bool:
        """Whether texts keep their capitals. Raises: CheckpointError."""
        stated = self.parameters.get("caseSensitive", self.annotator.case_sensitive)
        if not isinstance(stated, bool):
            raise CheckpointError(
                f"{self.path}: caseSensitive is {stated!r}; expected true or false."
            )
        return stated

    def problem_type(self, classes: int) -> str:
        """Return transformers' name for the problem that `activation` implies.

        Raises: CheckpointError.
        """
        activation = self.parameters.get("activation", "softmax")
        if activation not in _PROBLEM_TYPES:
            raise CheckpointError(
                f"{self.path}: activation is {activation!r}; expected "
                f"{' or '.join(_PROBLEM_TYPES)}, which are Spark NLP's."
            )
        # The softmax of one value is always 1. transformers, which made the model, has a
        # regression.
        if classes == 1 and activation == "softmax":
            return REGRESSION
        return _PROBLEM_TYPES[activation]


def read(folder: NamedPath) -> Metadata:
    """Read the metadata of a model, or of the one stage of a pipeline that classifies text.

    Raises: CheckpointError for an annotator that cannot be read.
    """
    content = _parse(folder)
    class_name = content["class"]
    if class_name == PIPELINE:
        return read(_find_stage(folder))
    if class_name not in ANNOTATORS:
        known = ", ".join(short_name(name) for name in ANNOTATORS)
        raise CheckpointError(
            f"{folder / 'metadata'}: the model is a {short_name(class_name)}, and can be read "
            f"here: {known}. Other annotators do not classify texts with a "
            f"TF*ForSequenceClassification."
        )
    parameters = {**_get_object(content, "defaultParamMap"), **_get_object(content, "paramMap")}
    return Metadata(folder, class_name, ANNOTATORS[class_name], parameters)


def _parse(folder: NamedPath) -> Mapping[str, Any]:
    path = folder / "metadata" / "part-00000"
    try:
        if (size := path.path.stat().st_size) > _MOST_BYTES:
            raise CheckpointError(f"{path} takes {size:,} bytes; expected one line of JSON.")
        content = json.loads(path.path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}. Copy or download it again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not JSON ({error}). Copy or download the model again."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("class"), str):
        raise CheckpointError(f"{path} names no class; expected the metadata of a Spark NLP model.")
    return content


def _get_object(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key, {})
    return value if isinstance(value, dict) else {}


def _find_stage(pipeline: NamedPath) -> NamedPath:
    """Find the stage that classifies, in a pipeline whose other stages only pass the text on."""
    paths = sorted(pipeline.path.glob("stages/*/metadata/part-00000"))
    stages = [pipeline / "stages" / path.parents[1].name for path in paths]
    classes = {stage: str(_parse(stage)["class"]) for stage in stages}
    names = ", ".join(map(short_name, classes.values())) or "no stage"
    classifiers = [stage for stage, name in classes.items() if name in ANNOTATORS]
    if len(classifiers) != 1:
        raise CheckpointError(
            f"{pipeline} is a pipeline of {names}, {len(classifiers)} of which can be read as a "
            f"text classifier; expected one. Unpack it and give the folder of the one stage that "
            f"you mean."
        )
    (classifier,) = classifiers
    others = [short_name(name) for stage, name in classes.items() if stage != classifier]
    if harmful := [name for name in others if name not in HARMLESS_STAGES]:
        raise CheckpointError(
            f"{pipeline} is a pipeline of {names}: the effect of {', '.join(harmful)} on the text "
            f"would be lost here. Expected no more than {', '.join(HARMLESS_STAGES)} beside the "
            f"classifier. If the model was trained without it, unpack the pipeline and give the "
            f"folder of the stage {classifier.path.name}."
        )
    return classifier
