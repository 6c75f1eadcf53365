"""`calibrate`: labelled rows and an export in, a calibrated export and its figures out."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfclf.calibrator.fit import fit_temperature, fit_thresholds
from tfclf.calibrator.measures import activate, measure
from tfclf.calibrator.report import CalibrationReport
from tfclf.calibrator.write import write_calibrated
from tfclf.catalog.resolve import find_export
from tfclf.classifier import LOOK_AHEAD, Classifier
from tfclf.classifier.columns import Columns, run_by_length
from tfclf.data import Layout, Row, labelled_rows
from tfclf.data.label_sets import multi_labelled_rows
from tfclf.errors import DataError, InputError, SavedModelError
from tfclf.evaluation.calibration import BINS
from tfclf.exporter import choose_version
from tfclf.files import hash_file
from tfclf.inputs import encode_texts
from tfclf.loader import load_export
from tfclf.problem_types import MULTI_LABEL, REGRESSION
from tfclf.progress import progress_bar
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.temperature import read_temperature
from tfclf.saved_model.versions import Version, latest_version
from tfclf.verifier import verify

FEWEST_ROWS = 20  # to fit to, and as many to measure on


class _Labelled(NamedTuple):
    logits: np.ndarray[Any, Any]  # float32[rows, labels]
    truth: np.ndarray[Any, Any]  # bool[rows, labels]


def calibrate(
    model: str | Path,
    rows: str | Path | Iterable[Row],
    folder: str | Path,
    *,
    evaluate_on: str | Path | Iterable[Row] | None = None,
    source: str | Path | None = None,
    version: int | None = None,
    layout: Layout | None = None,
    seed: int = 0,
    bins: int = BINS,
    batch_size: int = 32,
    xla: bool | None = None,
    progress: bool = False,
) -> CalibrationReport:
    """Write an export again, with probabilities that say how often they are right.

        report = tfclf.calibrate("saved_models/news", "validation.csv", "saved_models/news")
        report.temperature, report.before.calibration.ece, report.after.calibration.ece

    A temperature divides the logits before softmax or sigmoid. The one with the lowest negative log
    likelihood on the rows is chosen. It never changes a label. For a multi-label model, thresholds
    are fitted as well, which maximise each label's F1: `predict(threshold="calibrated")` uses them.

    The new export has the graph and weights of the given one, byte for byte, but for the
    temperature. It also keeps its certificate, since logits and labels are the same.

    Args:
      model: an export: a version folder, a base path (its newest version), or a card's name.
      rows: labelled rows that the model was not trained on: a file, as for `tfclf evaluate`, or an
        iterable of `tfclf.data.Row`.
      folder: the base path to write to; the model's own takes the new version beside the old one.
      evaluate_on: other labelled rows, to measure on. By default half of `rows`, drawn by `seed`,
        is fitted to and the other half measured on.
      source: the checkpoint of the export; with it the new export is verified anew.
      version: a whole number above 0; the next free one by default.
      layout: the columns of the files, as far as the files do not show them.
      bins: number of bins of the calibration error.
      batch_size, xla: as in `predict` and `load`.
      progress: show progress bars on standard error.
    Returns: the figures before and after, on rows that were not fitted to.
    Raises: InputError for a regression; DataError for rows that are too few, that have no labels or
      only one; SavedModelError for an export by an older version; ExportError; MissingExtraError
      without scikit-learn and SciPy; with `source`, the errors of `verify`.
    """
    chosen = latest_version(find_export(model))
    manifest = Manifest.read(chosen.folder)
    check_calibratable(manifest, chosen.folder)
    base_path = Path(folder)
    final = base_path / str(choose_version(base_path, version))
    given = _read_rows(rows, manifest, layout)
    held_out = None if evaluate_on is None else _read_rows(evaluate_on, manifest, layout)
    to_fit, to_measure = _split(given, held_out, seed)
    classifier = load_export(chosen.folder, xla=xla)
    with progress_bar(total=len(to_fit) + len(to_measure), unit="rows") as advance:
        report_rows = advance if progress else lambda _: None
        fitting, measuring = (
            _predict(classifier, one, batch_size, report_rows) for one in (to_fit, to_measure)
        )
    options: dict[str, Any] = {"problem_type": manifest.problem_type}
    fit = fit_temperature(*fitting, **options)
    remarks, thresholds = fit.remarks, None
    if manifest.problem_type == MULTI_LABEL:
        probabilities = activate(fitting.logits, temperature=fit.temperature, **options)
        fitted = fit_thresholds(probabilities, fitting.truth, manifest.labels)
        remarks, thresholds = remarks + fitted.remarks, fitted.by_label
    before, after = (
        measure(
            *measuring,
            manifest.labels,
            temperature=temperature,
            thresholds=by_label,
            bins=bins,
            **options,
        )
        for temperature, by_label in (
            (manifest.temperature or 1.0, manifest.thresholds),
            (fit.temperature, thresholds),
        )
    )
    if after.loss > before.loss:
        remarks += (
            "The loss on the rows that were not fitted to is higher than before: they differ from "
            "the others, or are too few. Keep the export that was given.",
        )
    report = CalibrationReport(
        path=final,
        problem_type=manifest.problem_type,
        labels=manifest.labels,
        temperature=fit.temperature,
        thresholds=thresholds,
        fitted_rows=len(to_fit),
        samples=len(to_measure),
        before=before,
        after=after,
        remarks=remarks,
    )
    write_calibrated(
        classifier,
        chosen.folder,
        final,
        name=base_path.resolve().name,
        temperature=fit.temperature,
        thresholds=thresholds,
        calibration=_make_record(report, chosen),
    )
    if source is not None:
        verify(final, source, progress=progress)
    return replace(report, certificate=Manifest.read(final).certificate)


def check_calibratable(manifest: Manifest, version: Path) -> None:
    """Check that an export has a temperature. Raises: InputError, SavedModelError."""
    if manifest.problem_type == REGRESSION:
        raise InputError(
            f"{version} is a regression: it has no probabilities to calibrate. Expected a "
            f"classifier."
        )
    if manifest.temperature is None:
        maker = manifest.versions.get("tfclf", "of an unknown version")
        raise SavedModelError(
            f"{version} was exported by tfclf {maker}, before exports had a temperature. Export "
            f"its checkpoint ({manifest.source}) again, then calibrate that export."
        )
    stored = read_temperature(version)
    if stored is None or np.float32(stored) != np.float32(manifest.temperature):
        raise SavedModelError(
            f"{version}: the manifest states the temperature {manifest.temperature}, and the "
            f"variables hold {stored}. The files are not from one export; export it again."
        )


def _read_rows(
    rows: str | Path | Iterable[Row], manifest: Manifest, layout: Layout | None
) -> list[Row]:
    is_multi = manifest.problem_type == MULTI_LABEL
    if isinstance(rows, str | Path):
        read = multi_labelled_rows if is_multi else labelled_rows
        rows = read(rows, manifest.labels, layout)
    known = set(manifest.labels)
    checked = []
    for number, row in enumerate(rows, 1):
        if is_multi:
            true = row.labels
        else:
            true = None if row.label is None else (row.label,)
        if true is None or not known.issuperset(true):
            what = "no label" if true is None else f"the label {', '.join(map(repr, true))}"
            raise DataError(
                f"Row {number} has {what}; expected "
                f"{'any of' if is_multi else 'one of'} the model's: {', '.join(manifest.labels)}."
            )
        checked.append(row)
    return checked


def _split(given: list[Row], held_out: list[Row] | None, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the rows to fit to, and those to measure on."""
    if held_out is None:
        if len(given) < 2 * FEWEST_ROWS:
            raise DataError(
                f"There are {len(given)} rows, of which half are to fit to and half to measure on. "
                f"Expected at least {2 * FEWEST_ROWS}, better 1,000."
            )
        shuffled = random.Random(seed).sample(given, len(given))
        half = len(given) // 2
        to_fit, to_measure = shuffled[:half], shuffled[half:]
    else:
        to_fit, to_measure = given, held_out
        for what, rows in (("to fit to", to_fit), ("to measure on", to_measure)):
            if len(rows) < FEWEST_ROWS:
                raise DataError(
                    f"There are {len(rows)} rows {what}. Expected at least {FEWEST_ROWS}, better "
                    f"500."
                )
    found = {row.label if row.labels is None else row.labels for row in to_fit}
    if len(found) == 1:
        (only,) = found
        raise DataError(
            f"All {len(to_fit)} rows to fit to have the same label, {only!r}: they cannot show how "
            f"often a probability is right. Expected rows of every label, as the model will see "
            f"them."
        )
    return to_fit, to_measure


def _predict(
    classifier: Classifier, rows: Sequence[Row], batch_size: int, advance: Any
) -> _Labelled:
    """Return the logits of the rows, and their true labels."""

    def run(texts: Any) -> Columns:
        return {"logits": classifier(texts)["logits"].numpy()}

    parts = []
    step = LOOK_AHEAD * batch_size
    for start in range(0, len(rows), step):
        texts = [row.text for row in rows[start : start + step]]
        encoded = list(encode_texts(texts, start=start))
        parts.append(run_by_length([encoded], batch_size, run)["logits"])
        advance(len(texts))
    logits = np.concatenate(parts)
    if not np.isfinite(logits).all():
        raise InputError(
            f"{classifier.manifest.name} gave a logit that is no number. Its weights are broken; "
            f"train or export it again."
        )
    true = [row.labels if row.labels is not None else (row.label,) for row in rows]
    return _Labelled(
        logits, np.array([[label in one for label in classifier.labels] for one in true], bool)
    )


def _make_record(report: CalibrationReport, version: Version) -> dict[str, Any]:
    """Return what the manifest of the new export says of its calibration."""
    return {
        "from": f"{version.model}/{version.number}",
        "graph": hash_file(version.folder / "saved_model.pb"),
        "fitted_rows": report.fitted_rows,
        "measured_rows": report.samples,
        "before": _summarize(report.before.to_dict()),
        "after": _summarize(report.after.to_dict()),
        "remarks": list(report.remarks),
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def _summarize(measures: dict[str, Any]) -> dict[str, float]:
    """Return single numbers alone: the report has the bins and the figures of each label."""
    error = measures["calibration"]["expected_calibration_error"]
    numbers = {name: value for name, value in measures.items() if isinstance(value, float)}
    return {**numbers, "expected_calibration_error": error}
