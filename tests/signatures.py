"""Exports of a few signatures: tracing all of them takes seconds, and older exports had fewer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from samples.checkpoints import edit_json
from tfclf import exporter
from tfclf.files import hash_file
from tfclf.graph.serving_graph import ServingGraph
from tfclf.graph.signatures import Signature, signatures_of
from tfclf.saved_model.manifest import Manifest


@contextmanager
def few_signatures(*names: str) -> Iterator[None]:
    """Let `tfclf.export` write these signatures only; `serving_default` is one in any case."""

    def choose(graph: ServingGraph) -> tuple[Signature, ...]:
        kept = {"serving_default", *names}
        return tuple(one for one in signatures_of(graph) if one.name in kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "signatures_of", choose)
        yield


def drop_signatures(version: Path, *names: str) -> None:
    """Make an export into one that never had these signatures."""
    path = version / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for name in names:
        del saved.meta_graphs[0].signature_def[name]
    path.write_bytes(saved.SerializeToString())
    checksums = {**Manifest.read(version).checksums, path.name: hash_file(path)}
    edit_json(Manifest.path(version), checksums=checksums)
