"""Exports of a few signatures: tracing all of them takes seconds."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tfclf import exporter
from tfclf.graph.serving_graph import ServingGraph
from tfclf.graph.signatures import Signature, signatures_of


@contextmanager
def few_signatures(*names: str) -> Iterator[None]:
    """Let `tfclf.export` write these signatures only; `serving_default` is one in any case."""

    def choose(graph: ServingGraph) -> tuple[Signature, ...]:
        kept = {"serving_default", *names}
        return tuple(one for one in signatures_of(graph) if one.name in kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "signatures_of", choose)
        yield
