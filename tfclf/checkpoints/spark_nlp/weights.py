"""The variables of an archive (names, shapes, later values), and the TF class rebuilt with them.

The keys in the archive's TensorFlow checkpoint are numbers. `_CHECKPOINTABLE_OBJECT_GRAPH`, which
Keras wrote into it, maps each to the name of the variable in the TF class.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from tfclf._transformers import tf_class, transformers
from tfclf.checkpoints.weights import remove_scopes
from tfclf.errors import CheckpointError, first_line

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_PREFIX = "variables"
_ERRORS = (tf.errors.OpError, ValueError, IndexError, RuntimeError, OSError)


class Variables:
    """An archive's variables, by the names of the TF class, below the class's own scope.

    Args:
      folder: holds variables.index and variables.data-*.
      anchor: the name of one variable; the scope before it is the class's own.
      origin: how errors name the archive.
    Raises: CheckpointError for files that are no TensorFlow checkpoint, or one of another version.
    """

    def __init__(self, folder: Path, *, anchor: str, origin: object) -> None:
        self._folder, self._origin = folder, origin
        with self._explain_errors():
            reader = tf.train.load_checkpoint(str(folder / _PREFIX))
            shapes = {
                key: tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()
            }
            types = reader.get_variable_to_dtype_map()
            self._check_size(shapes, types)
            if _OBJECT_GRAPH not in shapes:
                raise CheckpointError(
                    f"{origin}: its checkpoint has no {_OBJECT_GRAPH}, which names the variables. "
                    f"Expected a checkpoint as TensorFlow 2 saves it; this one is older."
                )
            names = _read_names(reader.get_tensor(_OBJECT_GRAPH))
        scope = next(
            (name.removesuffix(anchor) for name in names if name.endswith(f"/{anchor}")), None
        )
        if scope is None:
            raise CheckpointError(
                f"{origin}: none of its {len(names)} variables is {anchor!r} of the TF class. "
                f"Found {', '.join(sorted(names)[:5]) or 'none'}; the archive holds another kind "
                f"of model."
            )
        self._keys = {
            name.removeprefix(scope): key
            for name, key in names.items()
            if name.startswith(scope) and key in shapes
        }
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: shapes[key] for name, key in self._keys.items()
        }
        self._check_types({name: types[key] for name, key in self._keys.items()})

    def _check_size(
        self, shapes: Mapping[str, tuple[int, ...]], types: Mapping[str, tf.DType]
    ) -> None:
        """Compare the index with the data: TensorFlow allocates memory for it before it reads."""
        promised = sum(
            math.prod(shape) * max(types[key].size or 0, 1) for key, shape in shapes.items()
        )
        stored = sum(part.stat().st_size for part in self._folder.glob(f"{_PREFIX}.data-*"))
        if promised > stored:
            raise CheckpointError(
                f"{self._origin}: variables.index lists {promised:,} bytes of weights, and the "
                f"variables.data files beside it hold {stored:,}. They were cut short or belong to "
                f"two models; copy or download it again."
            )

    def _check_types(self, types: Mapping[str, tf.DType]) -> None:
        for name, dtype in types.items():
            if not dtype.is_floating:
                raise CheckpointError(
                    f"{self._origin}: the variable {name} is of type {dtype.name}; expected "
                    f"floating-point numbers."
                )

    def read_values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (name, float32 value) of each variable, one at a time.

        Raises: CheckpointError, also for NaN and infinity.
        """
        with self._explain_errors():
            reader = tf.train.load_checkpoint(str(self._folder / _PREFIX))
        for name, key in self._keys.items():
            with self._explain_errors():
                value = np.asarray(reader.get_tensor(key)).astype(np.float32)
            if not np.isfinite(value).all():
                raise CheckpointError(
                    f"{self._origin}: the variable {name} holds values that are no finite numbers; "
                    f"the training diverged or the file was damaged."
                )
            yield name, value

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except _ERRORS as error:
            raise CheckpointError(
                f"{self._origin}: its variables cannot be read: {first_line(error)}. They may be "
                f"cut short or damaged; copy or download it again."
            ) from error
        except DecodeError as error:
            raise CheckpointError(
                f"{self._origin}: its {_OBJECT_GRAPH} is damaged; download it again."
            ) from error


def _read_names(content: bytes) -> dict[str, str]:
    """Return the checkpoint's key of each variable, by the variable's full name."""
    graph = TrackableObjectGraph()
    graph.ParseFromString(content)
    return {
        attribute.full_name.removesuffix(":0"): attribute.checkpoint_key
        for node in graph.nodes
        for attribute in node.attributes
        if attribute.full_name
    }


def load_model(
    class_name: str, config: Mapping[str, Any], variables: Variables, *, origin: object
) -> Any:
    """Build the original TF class with the archive's weights.

    Raises: CheckpointError if the archive lacks one of the class's weights, or has others.
    """
    with warnings.catch_warnings():
        # transformers' own code warns of deprecated parts and unseeded initializers.
        warnings.simplefilter("ignore")
        model = tf_class(class_name)(transformers().AutoConfig.for_model(**config))
        model.build_in_name_scope()
    by_name = {remove_scopes(weight.name, 1).removesuffix(":0"): weight for weight in model.weights}
    expected = {name: tuple(weight.shape) for name, weight in by_name.items()}
    _check_shapes(expected, variables.shapes, class_name, origin)
    for name, value in variables.read_values():
        by_name[name].assign(value)
    return model


def _check_shapes(
    expected: Mapping[str, tuple[int, ...]],
    shapes: Mapping[str, tuple[int, ...]],
    class_name: str,
    origin: object,
) -> None:
    if missing := sorted(expected.keys() - shapes.keys()):
        raise CheckpointError(
            f"{origin} lacks {len(missing)} of the weights of {class_name}, among them "
            f"{', '.join(missing[:3])}. Expected all of them; copy or download it again."
        )
    if more := sorted(shapes.keys() - expected.keys()):
        raise CheckpointError(
            f"{origin} has {len(more)} weights that {class_name} does not have, among them "
            f"{', '.join(more[:3])}. The model was changed before it was saved, and cannot be "
            f"rebuilt."
        )
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise CheckpointError(
                f"{origin}: the variable {name} has the shape {list(shapes[name])}; {class_name} "
                f"with the sizes of the other variables has {list(shape)}. The file is damaged."
            )
