"""Write an export again, with another temperature: beside its place, then renamed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfclf.calibrator.measures import activate
from tfclf.classifier import Classifier
from tfclf.errors import ExportError
from tfclf.exporter import new_version
from tfclf.files import hash_files
from tfclf.loader import load_export
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.temperature import write_temperature

_TOLERANCES = {"logits": 1e-4, "probabilities": 1e-6}


def write_calibrated(
    base: Classifier,
    version: Path,
    final: Path,
    *,
    name: str,
    temperature: float,
    thresholds: Mapping[str, float] | None,
    calibration: Mapping[str, Any],
) -> None:
    """Write a calibrated copy of an export, and run both beside each other.

    The certificate of the export holds for the copy too, and says so: graph, vocabulary and weights
    are the same bytes, and logits and labels do not depend on the temperature.

    Args:
      base: the export in `version`, loaded.
      final: the version folder to write, which does not exist yet.
      calibration: the record for the manifest.
    Raises: ExportError; then nothing is left.
    """
    certificate = base.manifest.certificate
    manifest = replace(
        base.manifest,
        name=name,
        temperature=temperature,
        thresholds=None if thresholds is None else dict(thresholds),
        calibration=calibration,
        certificate=certificate and {**certificate, "carried_from": calibration["from"]},
    )
    with new_version(final) as beside:
        # The manifest's checksums are of every file but itself.
        skipped = {"variables", Manifest.path(version).name}
        shutil.copytree(
            version, beside, ignore=lambda _, names: skipped & set(names), dirs_exist_ok=True
        )
        write_temperature(version, beside, temperature)
        replace(manifest, checksums=hash_files(beside)).write(beside)
        _compare(base, beside)


def _compare(base: Classifier, copy: Path) -> None:
    """Check the copy's logits, and that its probabilities are at the manifest's temperature."""
    written = load_export(copy, xla=base.xla)
    expected, found = base(HEADLINES)["logits"].numpy(), written(HEADLINES)
    logits = found["logits"].numpy()
    probabilities = activate(
        logits,
        temperature=written.manifest.temperature or 1.0,
        problem_type=written.manifest.problem_type,
    )
    # The weights are the same bytes; only a GPU may sum them in another order.
    for what, difference in (
        ("logits", np.abs(logits - expected).max() / max(1.0, np.abs(expected).max())),
        ("probabilities", np.abs(found["probabilities"].numpy() - probabilities).max()),
    ):
        if not difference <= _TOLERANCES[what]:
            raise ExportError(
                f"the calibrated copy does not answer as it should: its {what} are off by "
                f"{difference:.1e}. Nothing was left of it. Check the export that was given: "
                f"tfclf verify."
            )
