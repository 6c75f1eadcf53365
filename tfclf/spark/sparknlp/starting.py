"""`sparknlp.start()`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfclf.errors import InputError
from tfclf.spark import session

_INSTEAD = {
    "gpu": "TensorFlow uses the GPUs that it sees; spark.task.resource.gpu.amount gives them to "
    "tasks (docs/spark.md).",
    "apple_silicon": "Install the TensorFlow of the platform.",
    "aarch64": "Install the TensorFlow of the platform.",
    "cache_folder": "Set TFCLF_CACHE in the environment.",
    "log_folder": "Set Spark's own logging.",
    "cluster_tmp_dir": "Set spark.local.dir: start(params={'spark.local.dir': ...}).",
    "real_time_output": "Set Spark's own logging.",
    "output_level": "Set Spark's own logging.",
}


def start(
    gpu: bool = False, *, memory: str = "2g", params: Mapping[str, Any] | None = None, **others: Any
) -> Any:
    """Return a local Spark session, as Spark NLP's `start` does.

    Args:
      gpu: refused if true: tfclf has no other build for a GPU.
      memory: of the JVM; the models are in the Python workers, beside it.
      params: more of Spark's settings, by name.
      others: parameters of Spark NLP that have another counterpart here; refused unless they are
        false or empty.
    Raises: InputError; TfclfError if there is no Java.
    """
    for name, value in {"gpu": gpu, **others}.items():
        if name not in _INSTEAD:
            raise InputError(f"start has no parameter {name!r}; it has memory and params.")
        if value not in (False, None, ""):
            raise InputError(f"start has no parameter {name!r} here. {_INSTEAD[name]}")
    return session.start(memory=memory, app_name="Spark NLP", config=params)
