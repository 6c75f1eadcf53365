"""The trained model to disk: measured as it lies there, and in its place only when it is whole."""

import contextlib
import importlib.metadata
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfclf.data import Row
from tfclf.evaluation import Report, evaluate
from tfclf.files import write_json
from tfclf.training.base import Base
from tfclf.training.predictor import Predictor
from tfclf.training.split import Split
from tfclf.training.state import Position
from tfclf.training.weights import load_trained

FORMAT_VERSION = 1
_PACKAGES = (
    "tfclf",
    "tensorflow",
    "tf-keras",
    "transformers",
    "tokenizers",
    "numpy",
    "scikit-learn",
)


@dataclass(frozen=True)
class Measured:
    """What the written checkpoint scored."""

    held_back: Report
    test: Report | None


def write_checkpoint(
    model: Any,
    base: Base,
    rows: Split,
    test_rows: Sequence[Row] | None,
    *,
    position: Position,
    run: Mapping[str, Any],
    batch_size: int,
    output: Path,
) -> Measured:
    """Writes a Hugging Face checkpoint, metrics.json and the confusion matrix beside `output`, then renames.

    Args:
      run: what the training was, for metrics.json.
      batch_size: of the measuring.
    """
    beside = output.with_name(f"{output.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        model.save_pretrained(beside, safe_serialization=False)
        base.copy_tokenizer(beside)
        # As read back from disk, in float32, and at the length that whoever uses the checkpoint gets.
        predictor = Predictor(
            load_trained(beside),
            base.tokenizer,
            base.labels,
            max_length=base.max_length,
            batch_size=batch_size,
        )
        held_back = evaluate(predictor, rows.held_back, base.labels)
        test = None if test_rows is None else evaluate(predictor, test_rows, base.labels)
        measured = Measured(held_back, test)
        write_json(
            beside / "metrics.json", _metrics(measured, rows, test_rows or (), position, run)
        )
        shown, kind = (held_back, "held-back") if test is None else (test, "test")
        shown.write_confusion_matrix(beside, title=f"{output.name}: {shown.samples:,} {kind} rows")
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return measured


def _metrics(
    measured: Measured,
    rows: Split,
    test_rows: Sequence[Row],
    position: Position,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    trained_on = {row.text for row in rows.train}
    return {
        "format_version": FORMAT_VERSION,
        "held_back": measured.held_back.to_dict(),
        "test": measured.test and measured.test.to_dict(),
        "rows": {
            "train": len(rows.train),
            "held_back": len(rows.held_back),
            "test": len(test_rows),
            # More than 0 makes the test metrics too good.
            "test_also_in_train": sum(row.text in trained_on for row in test_rows),
        },
        "best_epoch": position.best_epoch,
        "history": [asdict(epoch) for epoch in position.history],
        "train_runtime": position.seconds,
        **run,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
