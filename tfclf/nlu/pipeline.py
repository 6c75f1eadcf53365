"""`load(reference).predict(data)`: a pandas DataFrame comes out, as from `nlu`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfclf.classifier import Classifier
from tfclf.errors import InputError, MissingExtraError
from tfclf.inputs import check_texts
from tfclf.loader import load as load_classifier
from tfclf.tables.frames import score

# The names that nlu gives the results of a sequence classifier.
_LABEL = "classified_sequence"
_CONFIDENCE = "classified_sequence_confidence"


class Pipeline:
    """A classifier behind nlu's interface.

    Attributes:
      classifier: what classifies.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def __repr__(self) -> str:
        return f"<tfclf.nlu.Pipeline {self.classifier.manifest.name}>"

    def predict(self, data: Any, *, column: str = "text") -> Any:
        """Classify one text, a list, a Series, or a column of a DataFrame.

        Args:
          data: one str; a list or other iterable of str; a pandas Series; a pandas DataFrame.
          column: the column of the text in a DataFrame.
        Returns: a DataFrame with the index and the columns of `data` (a column `text` if it has
          none), and the columns `classified_sequence` and `classified_sequence_confidence`.
        Raises: InputError for what is no text, with its index, and for a column that is missing;
          MissingExtraError without pandas.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("pandas", extra="pandas", purpose="a DataFrame") from error
        if isinstance(data, pandas.DataFrame):
            frame = data
        elif isinstance(data, pandas.Series):
            column = "text" if data.name is None else data.name
            frame = data.to_frame(column)
        elif isinstance(data, str):
            column, frame = "text", pandas.DataFrame({"text": [data]})
        elif isinstance(data, Iterable):
            check_texts(data, name="data")
            column, frame = "text", pandas.DataFrame({"text": list(data)}, dtype=object)
        else:
            raise InputError(
                f"data is {data!r} ({type(data).__name__}); expected a str, a list of str, a "
                f"Series or a DataFrame."
            )
        scored = score(
            frame,
            self.classifier,
            column=column,
            rename={"label": _LABEL, "score": _CONFIDENCE},
            probabilities="none",
        )
        return scored.drop(columns="truncated")


def load(reference: str) -> Pipeline:
    """Load a model by its NLU reference, a card's name, or anything else that `tfclf.load` takes.

        tfclf.nlu.load("en.classify.distilbert_sequence.ag_news").predict("Late goal wins")

    Raises: the errors of `tfclf.load`.
    """
    return Pipeline(load_classifier(reference))
