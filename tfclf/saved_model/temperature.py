"""The temperature in an export's file: the one variable that `calibrate` changes.

An export's `variables/` is a checkpoint of TensorFlow: tensors by name. A calibrated export has
the graph of the export that it was made from, byte for byte, and each of its tensors but this one.
"""

from pathlib import Path

import tensorflow as tf

from tfclf.errors import SavedModelError, first_line

# Where the exporter's root module holds the variable: root.graph.temperature.
_NAME = "graph/temperature/.ATTRIBUTES/VARIABLE_VALUE"
_PREFIX = Path("variables") / "variables"


def read_temperature(version_folder: Path) -> float | None:
    """Return the temperature in an export's file; None if it has no such variable.

    Raises: SavedModelError if the file is broken.
    """
    reader = _open(version_folder)
    return float(reader.get_tensor(_NAME)) if reader.has_tensor(_NAME) else None


def write_temperature(version_folder: Path, copy: Path, temperature: float) -> None:
    """Write the variables of an export to a copy of it, with another temperature.

    Args:
      copy: a folder that has no `variables/` yet.
    Raises: SavedModelError if the file is broken or has no temperature.
    """
    reader = _open(version_folder)
    if not reader.has_tensor(_NAME):
        raise SavedModelError(
            f"{version_folder} has no temperature: an older tfclf exported it, or it is a "
            f"regression. Export its checkpoint again, then calibrate that export."
        )
    names = sorted(reader.get_variable_to_shape_map())
    tensors = [
        tf.constant(temperature, tf.float32)
        if name == _NAME
        else tf.constant(reader.get_tensor(name), reader.get_variable_to_dtype_map()[name])
        for name in names
    ]
    prefix = copy / _PREFIX
    prefix.parent.mkdir()
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=tensors,
    )


def _open(version_folder: Path) -> "tf.train.CheckpointReader":
    try:
        return tf.train.load_checkpoint(str(version_folder / _PREFIX))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise SavedModelError(
            f"{version_folder / _PREFIX.parent} cannot be read: {first_line(error)}. A file may be "
            f"missing or cut short; copy or export the model again."
        ) from error
