"""The manifest of an export: `assets.extra/tfclf.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tfclf.decision import Decide, Rule
from tfclf.errors import InputError, SavedModelError
from tfclf.files import write_json
from tfclf.problem_types import REGRESSION
from tfclf.saved_model.buckets import Ladder

FORMAT_VERSION = 1
INT8 = "int8"
INT8_BFLOAT16 = "int8_bfloat16"
# The precisions that are not equal to the original and need oneDNN: by their names, that of what is
# not computed in whole numbers.
INT8_RESTS = {INT8: "float32", INT8_BFLOAT16: "bfloat16"}
_PLACE = Path("assets.extra") / "tfclf.json"
# The JSON type of each entry, as errors name it, with its types in Python.
_TYPES: tuple[tuple[str, tuple[type, ...], tuple[str, ...]], ...] = (
    (
        "a text",
        (str,),
        (
            *("name", "source", "family", "engine", "precision", "storage"),
            *("problem_type", "serving_versions"),
        ),
    ),
    ("a list", (list,), ("labels",)),
    ("a whole number", (int,), ("max_length", "parts")),
    ("true or false", (bool,), ("frozen_weights",)),
    ("a number or null", (int, float, type(None)), ("temperature",)),
    ("an object", (dict,), ("requires", "versions", "checksums")),
    (
        "an object or null",
        (dict, type(None)),
        ("ladder", "thresholds", "calibration", "quantization", "certificate"),
    ),
)


@dataclass(frozen=True)
class Manifest:
    """The facts of a classifier, and an export's checksums and certificate.

    Attributes:
      name: the model's name; the folder's name, which TF Serving uses too.
      source: the checkpoint, as the user named it.
      family: the checkpoint's model_type.
      engine: 'lean' or 'original'.
      precision: the precision of the arithmetic: 'float32', 'bfloat16', 'int8' (the rest in
        float32) or 'int8_bfloat16' (the rest in bfloat16).
      storage: the number format of the large weights on disk.
      problem_type: selects the activation.
      labels: in the order of the logits.
      max_length: tokens in a row, special tokens included.
      temperature: the number that divides the logits before the activation: 1 unless `calibrate`
        found another one. None for a regression, and for older exports, whose graph has none.
      thresholds: by label, those that `calibrate` found for a multi-label model.
      calibration: the record of `calibrate`: from which export, on how many rows, with which gain.
      versions: of the packages that made the export.
      ladder: the buckets of the signature `serving_xla`; None without that signature.
      frozen_weights: whether the model answers right with TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1: each
        node multiplies by one weight only. Manifests of older exports lack it, which means False.
      parts: into how many parts each layer is divided that can run side by side, each on a core.
        Manifests of older exports lack it, which means 1.
      quantization: of an int8 export: texts and tokens that its ranges were measured on, and which
        products of its layers are not in int8. None for other precisions.
      requires: what runs the export: by 'tensorflow' and 'processor'. Empty for those that run
        wherever TensorFlow does.
      serving_versions: the versions of TF Serving that know every op of the export.
      checksums: SHA-256 by file, for every file of the export except this one; the source's files
        stand under `source/`.
      certificate: the result of `verify`, if it was run.
    """

    name: str
    source: str
    family: str
    engine: str
    precision: str
    storage: str
    problem_type: str
    labels: tuple[str, ...]
    max_length: int
    ladder: Ladder | None = None
    frozen_weights: bool = False
    parts: int = 1
    temperature: float | None = None
    thresholds: Mapping[str, float] | None = None
    calibration: Mapping[str, Any] | None = None
    quantization: Mapping[str, Any] | None = None
    requires: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    serving_versions: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None

    @property
    def probability_labels(self) -> tuple[str, ...]:
        """The labels that have probabilities, in their order; none for a regression."""
        return () if self.problem_type == REGRESSION else self.labels

    def bind(self, rule: Rule | None, *, name: str | None = None) -> Decide | None:
        """Check ranks, thresholds and abstention against this model; None without a rule.

        Args:
          name: the model's, for messages; the manifest's own by default.
        Raises: InputError.
        """
        if rule is None:
            return None
        return rule.bind(
            self.labels,
            name=self.name if name is None else name,
            problem_type=self.problem_type,
            calibrated=self.thresholds,
        )

    @staticmethod
    def path(version_folder: Path) -> Path:
        """The manifest's path; a SavedModel without this file is not an export of tfclf."""
        return version_folder / _PLACE

    def write(self, version_folder: Path) -> None:
        """Write the manifest into an export atomically: a reader sees the old one or the new."""
        path = self.path(version_folder)
        path.parent.mkdir(exist_ok=True)
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Convert to the file's content."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def read(cls, version_folder: Path) -> "Manifest":
        """Read the manifest of an export.

        Raises: SavedModelError if it is missing, broken, or of another format version.
        """
        path = cls.path(version_folder)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            format_version = content.pop("format_version")
            if format_version != FORMAT_VERSION:
                raise SavedModelError(
                    f"{path} has format version {format_version}; this tfclf reads "
                    f"{FORMAT_VERSION}. Export the model again, or install the tfclf that wrote it."
                )
            _check_types(content, path)
            known = {entry.name for entry in fields(cls)}
            content["labels"] = tuple(content["labels"])
            if content.get("ladder"):
                content["ladder"] = Ladder(
                    **{name: tuple(sizes) for name, sizes in content["ladder"].items()}
                )
            return cls(**{key: value for key, value in content.items() if key in known})
        except FileNotFoundError:
            raise SavedModelError(
                f"{version_folder} is a SavedModel, but not one that tfclf wrote: it has no "
                f"{_PLACE}. Expected the output of `tfclf export`. `tfclf serve` takes any "
                f"SavedModel."
            ) from None
        except (
            json.JSONDecodeError,
            UnicodeDecodeError,
            KeyError,
            TypeError,
            AttributeError,
            InputError,
        ) as error:
            raise SavedModelError(
                f"{path} is broken ({error!r}). Export the model again."
            ) from error


def _check_types(content: Mapping[str, Any], path: Path) -> None:
    """Check the types of the entries that are there. Raises: SavedModelError."""
    for expected, types, names in _TYPES:
        for name in names:
            if name in content and not isinstance(content[name], types):
                raise SavedModelError(
                    f"{path} is broken: {name} is {content[name]!r}; expected {expected}. Copy or "
                    f"export the model again."
                )
    for label in content.get("labels", ()):
        if not isinstance(label, str):
            raise SavedModelError(
                f"{path} is broken: a label is {label!r}; expected a text. Copy or export the "
                f"model again."
            )
