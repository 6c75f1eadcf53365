"""The names that examples in docstrings use without an import."""

from functools import cached_property
from typing import Any

import pytest

import tfclf


class _BundledModel:
    """The bundled model; it is loaded when an example first uses it."""

    @cached_property
    def _classifier(self) -> Any:
        return tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)


@pytest.fixture(scope="session", autouse=True)
def add_names_to_examples(doctest_namespace: dict[str, Any]) -> None:
    """Give `tfclf` and `clf`, the bundled model, to every example."""
    doctest_namespace |= {"tfclf": tfclf, "clf": _BundledModel()}
