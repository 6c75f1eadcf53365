"""The trained model on disk: measured from its files, and in its place only when complete."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfclf._version import package_versions
from tfclf.data import Row
from tfclf.evaluation import Report, evaluate
from tfclf.files import new_folder, remove_partial, write_json
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
    """The scores of the written checkpoint."""

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
    """Write a Hugging Face checkpoint, metrics.json and the confusion matrix to `output`.

    They are written beside it and then renamed.

    Args:
      run: what identifies the training, for metrics.json.
      batch_size: for measuring.
    """
    remove_partial(output)
    with new_folder(output) as beside:
        model.save_pretrained(beside, safe_serialization=False)
        base.copy_tokenizer(beside)
        # Measure what users of the checkpoint get: read back from disk, float32, full length.
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
        metrics = _metrics(measured, rows, test_rows or (), position, run)
        write_json(beside / "metrics.json", metrics)
        report, kind = (held_back, "held-back") if test is None else (test, "test")
        title = f"{output.name}: {report.samples:,} {kind} rows"
        report.write_confusion_matrix(beside, title=title)
    return measured


def _metrics(
    measured: Measured,
    rows: Split,
    test_rows: Sequence[Row],
    position: Position,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of metrics.json."""
    trained_on = {row.text for row in rows.train}
    return {
        "format_version": FORMAT_VERSION,
        "held_back": measured.held_back.to_dict(),
        "test": measured.test and measured.test.to_dict(),
        "rows": {
            "train": len(rows.train),
            "held_back": len(rows.held_back),
            "test": len(test_rows),
            # If above 0, the test metrics are too good.
            "test_also_in_train": sum(row.text in trained_on for row in test_rows),
        },
        "best_epoch": position.best_epoch,
        "history": [asdict(epoch) for epoch in position.history],
        "train_runtime": position.seconds,
        **run,
        "versions": {"python": platform.python_version(), **package_versions(*_PACKAGES)},
    }
