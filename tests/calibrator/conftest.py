"""What the tests of `calibrate` share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tfclf
from tfclf.calibrator import run
from tfclf.loader import load_export
from tfclf.saved_model.manifest import Manifest


@pytest.fixture(scope="package", autouse=True)
def _load_graphs_once() -> Iterator[None]:
    """Let `calibrate` load each graph once: all copies of an export give the same logits."""
    loaded: dict[tuple[str, ...], tfclf.Classifier] = {}

    def load(version: Path, *, xla: bool | None) -> tfclf.Classifier:
        manifest = Manifest.read(version)
        if manifest.labels not in loaded:
            loaded[manifest.labels] = load_export(version, xla=False)
        first = loaded[manifest.labels]
        return tfclf.Classifier(first._functions, manifest, owner=first, xla=xla)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "load_export", load)
        yield
