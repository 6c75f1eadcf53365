"""The variables of an archive: names and shapes, and later their values; and the TF class built anew with them.

The checkpoint's keys are numbers; `_CHECKPOINTABLE_OBJECT_GRAPH`, which Keras wrote into it, maps each to the name of
the variable in the TF class.
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
from tfclf.checkpoints.weights import scope_free
from tfclf.errors import CheckpointError, first_line

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_PREFIX = "variables"
_ERRORS = (tf.errors.OpError, ValueError, IndexError, RuntimeError, OSError)


class Variables:
    """An archive's variables, by the names of the TF class, below the class's own scope.

    Args:
      folder: holds variables.index and variables.data-*.
      anchor: the name of one of them; the scope before it is the class's own.
      origin: how errors name the archive.
    Raises: CheckpointError for files that are no checkpoint, or one of another make.
    """

    def __init__(self, folder: Path, *, anchor: str, origin: object) -> None:
        self._folder, self._origin = folder, origin
        with self._reading():
            reader = tf.train.load_checkpoint(str(folder / _PREFIX))
            shapes = {
                key: tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()
            }
            types = reader.get_variable_to_dtype_map()
            self._check_size(shapes, types)
            if _OBJECT_GRAPH not in shapes:
                raise CheckpointError(
                    f"{origin}: its checkpoint has no {_OBJECT_GRAPH}, which names the variables. Expected what "
                    f"TensorFlow 2 saves; the archive is of an older make."
                )
            names = _names(reader.get_tensor(_OBJECT_GRAPH))
        scope = next(
            (name.removesuffix(anchor) for name in names if name.endswith(f"/{anchor}")), None
        )
        if scope is None:
            raise CheckpointError(
                f"{origin}: none of its {len(names)} variables is {anchor!r} of the TF class. Found "
                f"{', '.join(sorted(names)[:5]) or 'none'}; the archive is of another kind of model."
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
        """What the index promises must be there: TensorFlow makes room for it before it reads."""
        promised = sum(
            math.prod(shape) * max(types[key].size or 0, 1) for key, shape in shapes.items()
        )
        found = sum(part.stat().st_size for part in self._folder.glob(f"{_PREFIX}.data-*"))
        if promised > found:
            raise CheckpointError(
                f"{self._origin}: variables.index lists {promised:,} bytes of weights, and the variables.data files "
                f"beside it hold {found:,}. They were cut short or are of two models; copy or download it again."
            )

    def _check_types(self, types: Mapping[str, tf.DType]) -> None:
        wrong = next((name for name, found in types.items() if not found.is_floating), None)
        if wrong is not None:
            raise CheckpointError(
                f"{self._origin}: the variable {wrong} is of type {types[wrong].name}; expected floating-point numbers."
            )

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """(name, float32 value) of each, one at a time. Raises: CheckpointError, also for NaN and infinity."""
        with self._reading():
            reader = tf.train.load_checkpoint(str(self._folder / _PREFIX))
        for name, key in self._keys.items():
            with self._reading():
                value = np.asarray(reader.get_tensor(key)).astype(np.float32)
            if not np.isfinite(value).all():
                raise CheckpointError(
                    f"{self._origin}: the variable {name} holds values that are no finite numbers; the training "
                    f"diverged or the file was damaged."
                )
            yield name, value

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except _ERRORS as error:
            raise CheckpointError(
                f"{self._origin}: its variables cannot be read: {first_line(error)}. They may be cut short or damaged; "
                f"copy or download it again."
            ) from error
        except DecodeError as error:
            raise CheckpointError(
                f"{self._origin}: its {_OBJECT_GRAPH} is damaged; download it again."
            ) from error


def _names(content: bytes) -> dict[str, str]:
    """The checkpoint's key of each variable, by its full name."""
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
    """The original TF class with the archive's weights, every one of them, and no other.

    Raises: CheckpointError where the two do not match.
    """
    with warnings.catch_warnings():
        # Of transformers' own code: deprecated parts, unseeded initializers.
        warnings.simplefilter("ignore")
        model = tf_class(class_name)(transformers().AutoConfig.for_model(**config))
        model.build_in_name_scope()
    left = {scope_free(weight.name, 1).removesuffix(":0"): weight for weight in model.weights}
    _check(left, variables.shapes, class_name, origin)
    for name, value in variables.values():
        left[name].assign(value)
    return model


def _check(
    left: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], class_name: str, origin: object
) -> None:
    expected = {name: tuple(weight.shape) for name, weight in left.items()}
    if missing := sorted(expected.keys() - shapes.keys()):
        raise CheckpointError(
            f"{origin} lacks {len(missing)} of the weights of {class_name}, among them {', '.join(missing[:3])}. "
            f"Expected all of them; copy or download it again."
        )
    if more := sorted(shapes.keys() - expected.keys()):
        raise CheckpointError(
            f"{origin} has {len(more)} weights that {class_name} does not have, among them {', '.join(more[:3])}. "
            f"The model was changed before it was saved, and cannot be rebuilt."
        )
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise CheckpointError(
                f"{origin}: the variable {name} has the shape {list(shapes[name])}, where {class_name} with the sizes "
                f"of the others has {list(shape)}. The file is damaged."
            )
