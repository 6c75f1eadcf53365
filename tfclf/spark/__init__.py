"""Apache Spark: classify a column on a cluster, in batches or in a stream.

| name | what it does |
|-|-|
| `classify` | add a column of predictions to a DataFrame |
| `SequenceClassifier` | the same as a stage of a pyspark.ml pipeline, saved and loaded with it |
| `ship_model` | copy an export to the executors, if they do not see its folder |
| `start` | make a local session, with a Java that is on this machine |
| `tfclf.spark.sparknlp` | the classes of Spark NLP that its model cards use, on tfclf's models |

Classic Spark and Spark Connect run the same functions. Executors need tfclf and TensorFlow.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from tfclf.errors import MissingExtraError

if importlib.util.find_spec("pyspark") is None:
    raise MissingExtraError("pyspark", extra="spark", purpose="tfclf.spark")

if TYPE_CHECKING:
    from tfclf.spark.classification import classify as classify
    from tfclf.spark.session import start as start
    from tfclf.spark.shipping import ship_model as ship_model
    from tfclf.spark.transformer import SequenceClassifier as SequenceClassifier

# Loaded on first use: a Python worker of an executor needs only the modules that score.
_HOME = {
    "SequenceClassifier": "tfclf.spark.transformer",
    "classify": "tfclf.spark.classification",
    "ship_model": "tfclf.spark.shipping",
    "start": "tfclf.spark.session",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(
            f"module 'tfclf.spark' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
