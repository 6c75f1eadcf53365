"""`assets.extra/tfclf.json`: what an export says of itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tfclf.errors import InputError, SavedModelError
from tfclf.files import write_json
from tfclf.saved_model.buckets import Ladder

FORMAT_VERSION = 1
_PLACE = Path("assets.extra") / "tfclf.json"


@dataclass(frozen=True)
class Manifest:
    """The facts of a classifier; of an export also its checksums and certificate.

    Attributes:
      name: the model's, for TF Serving the folder's.
      source: where the checkpoint was, as given.
      family: its model_type.
      engine: 'lean' or 'original'.
      precision: of the arithmetic.
      storage: number format of the large weights in the file.
      problem_type: picks the activation.
      labels: in the order of the logits.
      max_length: tokens in a row, special tokens included.
      versions: of the packages that made it.
      ladder: the shapes of the signature `serving_xla`; None where there is none.
      serving_versions: of TF Serving, on which every op of it is known.
      checksums: SHA-256 by file, of the export's files but this one; of the source's under `source/`.
      certificate: what `verify` found, if it was run.
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
    versions: Mapping[str, str] = field(default_factory=dict)
    serving_versions: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None

    @staticmethod
    def path(version_folder: Path) -> Path:
        """Where it is; what has no such file is no export of ours."""
        return version_folder / _PLACE

    def write(self, version_folder: Path) -> None:
        """Writes it into an export, beside and renamed, so that a reader sees the old one or the new."""
        path = self.path(version_folder)
        path.parent.mkdir(exist_ok=True)
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As the file has it."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def read(cls, version_folder: Path) -> "Manifest":
        """Raises: SavedModelError where there is none, or one of another format."""
        path = version_folder / _PLACE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = content.pop("format_version")
            if found != FORMAT_VERSION:
                raise SavedModelError(
                    f"{path} has format version {found}; this tfclf reads {FORMAT_VERSION}. "
                    f"Export the model again, or install the tfclf that wrote it."
                )
            known = {entry.name for entry in fields(cls)}
            content["labels"] = tuple(content["labels"])
            if content.get("ladder"):
                content["ladder"] = Ladder(
                    **{name: tuple(sizes) for name, sizes in content["ladder"].items()}
                )
            return cls(**{key: value for key, value in content.items() if key in known})
        except FileNotFoundError:
            raise SavedModelError(
                f"{version_folder} is a SavedModel, but not one that tfclf wrote: it has no {_PLACE}. "
                f"Expected the output of `tfclf export`. `tfclf serve` takes any SavedModel."
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
