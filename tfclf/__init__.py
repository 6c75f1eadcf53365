"""tfclf: sequence classification the TensorFlow way.

>>> import tfclf
>>> clf = tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news")
>>> clf.predict(["Ceasefire talks resume after a night of shelling"])[0].label
'World'

Public names are loaded on first use, so that `import tfclf` does not import TensorFlow.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from tfclf._version import __version__ as __version__

if TYPE_CHECKING:
    from tfclf.calibrator import calibrate as calibrate
    from tfclf.classifier import Classifier as Classifier
    from tfclf.client import AsyncClient as AsyncClient
    from tfclf.client import Client as Client
    from tfclf.errors import TfclfError as TfclfError
    from tfclf.evaluation import evaluate as evaluate
    from tfclf.explanation import Explanation as Explanation
    from tfclf.exporter import export as export
    from tfclf.loader import load as load
    from tfclf.prediction import Prediction as Prediction
    from tfclf.prediction import to_pandas as to_pandas
    from tfclf.saved_model.frozen_weights import assume_frozen_weights as assume_frozen_weights
    from tfclf.server import serve as serve
    from tfclf.tables import score as score
    from tfclf.tables import score_files as score_files
    from tfclf.training import train as train
    from tfclf.verifier import verify as verify

_HOME = {
    "AsyncClient": "tfclf.client",
    "Classifier": "tfclf.classifier",
    "Client": "tfclf.client",
    "Explanation": "tfclf.explanation",
    "Prediction": "tfclf.prediction",
    "TfclfError": "tfclf.errors",
    "assume_frozen_weights": "tfclf.saved_model.frozen_weights",
    "calibrate": "tfclf.calibrator",
    "evaluate": "tfclf.evaluation",
    "export": "tfclf.exporter",
    "load": "tfclf.loader",
    "score": "tfclf.tables",
    "score_files": "tfclf.tables",
    "serve": "tfclf.server",
    "to_pandas": "tfclf.prediction",
    "train": "tfclf.training",
    "verify": "tfclf.verifier",
}
__all__ = sorted(_HOME)
_PACKAGES = ("nlu", "spark")  # reached as attributes, too: tfclf.nlu.load(...)

# Import paths that earlier documentation gave, and where their modules are now.
_MOVED = {
    "tfclf.cards": "tfclf.catalog.cards",
    "tfclf.certificate": "tfclf.saved_model.certificate",
    "tfclf.ladder": "tfclf.saved_model.buckets",
}


class _MovedModule(types.ModuleType):
    """A stand-in under the old path of a module; it loads the module on first use."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by code that walks through sys.modules
            raise AttributeError(name)
        return getattr(importlib.import_module(_MOVED[self.__name__]), name)


for _path in _MOVED:
    sys.modules[_path] = _MovedModule(_path)
    globals()[_path.rpartition(".")[2]] = sys.modules[_path]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"tfclf.{name}")
    if name not in _HOME:
        raise AttributeError(
            f"module 'tfclf' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    # No module may have a public name: importing it would put the module in the function's place.
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
