"""The figures before and after a calibration, as a record that writes itself to disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.calibrator.measures import Measures
from tfclf.evaluation.pages import calibration_page
from tfclf.evaluation.plot import plot_reliability
from tfclf.evaluation.provenance import About
from tfclf.evaluation.scores import FORMAT_VERSION
from tfclf.files import fill_folder, write_json
from tfclf.problem_types import MULTI_LABEL

CALIBRATION_FILES = (
    "calibration.json",
    "report.html",
    "report.md",
    "reliability_before.png",
    "reliability_after.png",
)


@dataclass(frozen=True)
class CalibrationReport:
    """The result of `calibrate`.

    Attributes:
      path: the version folder of the new export.
      temperature: what now divides the logits.
      thresholds: by label, of a multi-label model; None for a single-label one.
      fitted_rows: number of rows that temperature and thresholds were fitted to.
      samples: number of other rows, on which `before` and `after` are measured.
      before: figures of the export that was given, at its own temperature and thresholds.
      after: figures of the new one.
      remarks: what a user should know before relying on it.
      certificate: that of the new export; None if it has none.
    """

    path: Path
    problem_type: str
    labels: tuple[str, ...]
    temperature: float
    thresholds: Mapping[str, float] | None
    fitted_rows: int
    samples: int
    before: Measures
    after: Measures
    remarks: tuple[str, ...] = ()
    certificate: Mapping[str, Any] | None = None

    @property
    def is_multi_label(self) -> bool:
        return self.problem_type == MULTI_LABEL

    def figures(self) -> dict[str, tuple[float, float]]:
        """Return each figure before and after, by name."""
        before, after = self.before, self.after
        named: dict[str, tuple[Any, Any]] = {
            "expected calibration error": (before.calibration.ece, after.calibration.ece),
            "maximum calibration error": (before.calibration.mce, after.calibration.mce),
            "mean confidence": (before.calibration.confidence, after.calibration.confidence),
            "accuracy": (before.accuracy, after.accuracy),
            "loss": (before.loss, after.loss),
        }
        if self.is_multi_label:
            named["mean probability"] = named.pop("mean confidence")
            named["micro F1"] = (before.micro_f1, after.micro_f1)
            named["macro F1"] = (before.macro_f1, after.macro_f1)
        return named

    def to_dict(self, about: About | None = None) -> dict[str, Any]:
        """Return the content of `calibration.json`, which `--json` prints too."""
        content: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "path": str(self.path),
            "problem_type": self.problem_type,
            "labels": list(self.labels),
            "temperature": self.temperature,
            "thresholds": None if self.thresholds is None else dict(self.thresholds),
            "fitted_rows": self.fitted_rows,
            "samples": self.samples,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "remarks": list(self.remarks),
        }
        if about is not None:
            content["about"] = about.to_dict()
        return content

    def write(
        self, folder: str | Path, *, title: str = "Calibration", about: About | None = None
    ) -> None:
        """Write CALIBRATION_FILES: all of them or none.

        Raises: MissingExtraError without matplotlib or Jinja.
        """
        with fill_folder(Path(folder)) as beside:
            write_json(beside / "calibration.json", self.to_dict(about))
            for when, one in (("before", self.before), ("after", self.after)):
                plot_reliability(
                    one.calibration, beside / f"reliability_{when}.png", title=f"{title}, {when}"
                )
            for suffix in ("html", "md"):
                page = calibration_page(suffix, self, title=title, about=about)
                (beside / f"report.{suffix}").write_text(page, encoding="utf-8")
