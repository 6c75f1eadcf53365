"""Whether the files of an export belong together: its own facts, compared before it answers.

A copy by hand, or one that was interrupted, may mix the files of two exports. TensorFlow compares
the values of `variables.data-*` with `variables.index` as it reads them, and nothing else with
anything: a graph behind another model's weights answers, wrongly.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfclf.errors import SavedModelError
from tfclf.files import hash_file
from tfclf.problem_types import REGRESSION
from tfclf.saved_model import signature_names as names
from tfclf.saved_model.manifest import Manifest

# With the values' own checksums in variables.index, these decide every answer.
_DECISIVE = ("saved_model.pb", "variables/variables.index")
_ASSETS = "assets/"


def check_files(manifest: Manifest, *, source: Path) -> None:
    """Refuse an export with a file of another one.

    Large files are left out: TensorFlow compares them with variables.index itself. So are files
    that no answer depends on, and files that are missing, which TensorFlow tells.

    Args:
      source: the export's version folder.
    Raises: SavedModelError.
    """
    for name, expected in manifest.checksums.items():
        path = source / name
        if not (name in _DECISIVE or name.startswith(_ASSETS)) or not path.is_file():
            continue
        try:
            found = hash_file(path)
        except OSError as error:
            raise SavedModelError(
                f"{path} cannot be read: {error.strerror or error}. Copy or export the model again."
            ) from error
        if found != expected:
            raise SavedModelError(
                f"{path} is not the file that was exported: its SHA-256 differs from that in "
                f"{Manifest.path(source)}. Files of two exports may be mixed, or a copy was "
                f"interrupted. Copy the whole folder again, or export the model again."
            )


def check_labels(
    manifest: Manifest, signatures: Mapping[str, Callable[..., Any]], *, source: Path
) -> None:
    """Refuse a manifest whose labels or problem type are not those of the graph.

    Args:
      signatures: of the loaded export.
      source: the export's version folder.
    Raises: SavedModelError.
    """
    function: Any = signatures[names.SERVING_DEFAULT]
    outputs = function.structured_outputs
    classes = outputs["logits"].shape[-1]
    found = f"the graph gives {classes} values"
    is_equal = classes in (None, len(manifest.labels))
    is_equal &= ("probabilities" in outputs) == (manifest.problem_type != REGRESSION)
    # A vocabulary lies in a table; but the pieces of common words are such a constant, too, and may
    # be as many as there are labels.
    named = [
        tuple(text.decode("utf-8", "replace") for text in constant.numpy())
        for constant in function.captured_inputs
        if constant.dtype.name == "string" and constant.shape.as_list() == [classes]
    ]
    if named:
        is_equal &= manifest.labels in named
        found = f"the graph gives {', '.join(named[0])}"
    if not is_equal:
        raise SavedModelError(
            f"{Manifest.path(source)} states a {manifest.problem_type} with the labels "
            f"{', '.join(map(str, manifest.labels)) or 'none'}, and {found}. It was edited, or "
            f"belongs to another export: copy the whole folder again. To rename labels, change "
            f"id2label in the checkpoint's config.json and export again."
        )
