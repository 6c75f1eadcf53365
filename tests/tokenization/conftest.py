"""Fixtures of the tests of tokenizers."""

from collections.abc import Iterator

import pytest

from tests.tokenization import reference


@pytest.fixture(scope="module", autouse=True)
def _forget_compiled() -> Iterator[None]:
    """Give back the compiled tokenizers of a module: another module seldom has the same ones."""
    yield
    reference.forget_compiled()
