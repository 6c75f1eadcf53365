"""What a model's `metadata` says: which annotator it is, and its parameters; of a pipeline, which stage classifies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.checkpoints.spark_nlp.annotators import (
    ANNOTATORS,
    HARMLESS_STAGES,
    PIPELINE,
    Annotator,
    short,
)
from tfclf.errors import CheckpointError
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL

_MOST_BYTES = 1 << 24
_MAX_LENGTH = 128  # Spark NLP's own, for every one of these annotators
_PROBLEM_TYPES = {"softmax": SINGLE_LABEL, "sigmoid": MULTI_LABEL}


@dataclass(frozen=True)
class Metadata:
    """An annotator's class and parameters.

    Attributes:
      folder: the model's; of a pipeline, its stage's.
      parameters: those that were set, and Spark NLP's defaults at the time for the rest.
    """

    folder: Path
    class_name: str
    annotator: Annotator
    parameters: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """For error messages."""
        return self.folder / "metadata"

    @property
    def max_length(self) -> int:
        """Tokens in a row, special tokens included. Raises: CheckpointError."""
        found = self.parameters.get("maxSentenceLength", _MAX_LENGTH)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise CheckpointError(
                f"{self.path}: maxSentenceLength is {found!r}; expected a whole number above 0."
            )
        return found

    @property
    def case_sensitive(self) -> bool:
        """Whether capitals count. Raises: CheckpointError."""
        found = self.parameters.get("caseSensitive", self.annotator.case_sensitive)
        if not isinstance(found, bool):
            raise CheckpointError(
                f"{self.path}: caseSensitive is {found!r}; expected true or false."
            )
        return found

    def problem_type(self, classes: int) -> str:
        """As transformers calls what `activation` stands for. Raises: CheckpointError."""
        found = self.parameters.get("activation", "softmax")
        if found not in _PROBLEM_TYPES:
            raise CheckpointError(
                f"{self.path}: activation is {found!r}; expected {' or '.join(_PROBLEM_TYPES)}, as Spark NLP has them."
            )
        # A softmax over one value is always 1: such a model is a regression to transformers, which made it.
        return REGRESSION if classes == 1 and found == "softmax" else _PROBLEM_TYPES[found]


def read(folder: Path) -> Metadata:
    """The metadata of a model's folder, or of the one stage of a pipeline that classifies text.

    Raises: CheckpointError for an annotator that is none of those that can be read.
    """
    found = _parse(folder)
    class_name = found["class"]
    if class_name == PIPELINE:
        return read(_stage(folder))
    if class_name not in ANNOTATORS:
        known = ", ".join(short(name) for name in ANNOTATORS)
        raise CheckpointError(
            f"{folder / 'metadata'}: the model is a {short(class_name)}, and what can be read here is {known}. Other "
            f"annotators do not classify texts with a TF*ForSequenceClassification."
        )
    parameters = {**_mapping(found, "defaultParamMap"), **_mapping(found, "paramMap")}
    return Metadata(folder, class_name, ANNOTATORS[class_name], parameters)


def _parse(folder: Path) -> Mapping[str, Any]:
    path = folder / "metadata" / "part-00000"
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise CheckpointError(f"{path} takes {size:,} bytes; expected one line of JSON.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}. Copy or download it again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not JSON ({error}). Copy or download the model again."
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("class"), str):
        raise CheckpointError(f"{path} names no class; expected the metadata of a Spark NLP model.")
    return found


def _mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key, {})
    return value if isinstance(value, dict) else {}


def _stage(folder: Path) -> Path:
    """The pipeline's stage that classifies, where the others only hand the text on to it."""
    stages = sorted(path.parents[1] for path in folder.glob("stages/*/metadata/part-00000"))
    classes = {stage: str(_parse(stage)["class"]) for stage in stages}
    names = ", ".join(map(short, classes.values())) or "no stage"
    found = [stage for stage, name in classes.items() if name in ANNOTATORS]
    if len(found) != 1:
        raise CheckpointError(
            f"{folder} is a pipeline of {names}, {len(found)} of which can be read as a text classifier; expected one. "
            f"Unpack it and give the folder of the one stage that you mean."
        )
    others = [short(name) for stage, name in classes.items() if stage != found[0]]
    if strange := [name for name in others if name not in HARMLESS_STAGES]:
        raise CheckpointError(
            f"{folder} is a pipeline of {names}: what {', '.join(strange)} does with the text would be lost here. "
            f"Expected no more than {', '.join(HARMLESS_STAGES)} beside the classifier. If the model was trained "
            f"without it, unpack the pipeline and give the folder of the stage {found[0].name}."
        )
    return found[0]
