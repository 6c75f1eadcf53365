"""An undisturbed training: what it writes, and the rules it follows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import typer
from typer.testing import CliRunner

from tests.training.tiny import LABELS, RECIPE, assert_same_weights, strip_scope, weights_of
from tfclf.cli.train import train as train_command
from tfclf.data import Row
from tfclf.training import TrainingResult
from tfclf.training.split import split


def test_training_learns(trained: TrainingResult) -> None:
    assert trained.held_back.accuracy > 0.8
    assert trained.history[-1].loss < trained.history[0].loss


def test_the_output_is_a_checkpoint_that_tfclf_opens(trained: TrainingResult) -> None:
    from tfclf.checkpoints.opening import open_checkpoint

    checkpoint = open_checkpoint(trained.folder)
    assert checkpoint.labels == LABELS
    assert checkpoint.load_model().config.num_labels == 2


def test_the_tokenizer_is_copied_as_it_is(trained: TrainingResult, base: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        assert (trained.folder / name).read_bytes() == (base / name).read_bytes()


def test_the_training_length_leaves_the_checkpoints_own_limit(trained: TrainingResult) -> None:
    config = json.loads((trained.folder / "tokenizer_config.json").read_text())
    assert (RECIPE.max_length, config["model_max_length"]) == (24, 32)


def test_config_names_the_labels_both_ways(trained: TrainingResult) -> None:
    config = json.loads((trained.folder / "config.json").read_text())
    assert config["id2label"] == {"0": "neg", "1": "pos"}
    assert config["label2id"] == {"neg": 0, "pos": 1}


def test_nothing_written_names_a_folder_of_this_machine(
    trained: TrainingResult, base: Path
) -> None:
    for path in trained.folder.glob("*.json"):
        assert str(base.parent) not in path.read_text(), path.name


def test_metrics_say_how_the_model_was_made(trained: TrainingResult) -> None:
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert metrics["format_version"] == 1
    assert metrics["recipe"] == RECIPE.to_dict()
    assert metrics["held_back"]["eval_accuracy"] == trained.held_back.accuracy
    assert metrics["rows"] == {"train": 58, "held_back": 14, "test": 2, "test_also_in_train": 0}
    assert len(metrics["history"]) == 2
    assert {"tensorflow", "transformers", "python"} <= set(metrics["versions"])


def test_test_rows_are_measured_and_drawn(trained: TrainingResult) -> None:
    assert trained.test is not None
    assert trained.test.samples == 2
    assert "2 test rows" in (trained.folder / "confusion_matrix.json").read_text()
    assert (trained.folder / "confusion_matrix.png").is_file()


def test_nothing_else_is_left_behind(trained: TrainingResult) -> None:
    assert [path.name for path in trained.folder.parent.iterdir()] == ["model"]


def test_the_metrics_are_those_of_the_files_written(
    trained: TrainingResult, rows: list[Row]
) -> None:
    from tfclf.evaluation import evaluate
    from tfclf.training.base import open_base
    from tfclf.training.predictor import Predictor
    from tfclf.training.weights import load_trained

    opened = open_base(trained.folder, labels=None)
    model = load_trained(trained.folder)
    predictor = Predictor(model, opened.tokenizer, opened.labels, max_length=32, batch_size=3)
    held_back = split(rows, LABELS, share=RECIPE.held_back, seed=RECIPE.seed).held_back
    assert evaluate(predictor, held_back, LABELS).loss == pytest.approx(
        trained.held_back.loss, rel=1e-4
    )


@pytest.mark.verify  # as every test that resumes a training
def test_the_same_seed_gives_the_same_weights(
    trained: TrainingResult, again: Callable[..., TrainingResult]
) -> None:
    assert_same_weights(again().folder, trained.folder)


def test_another_seed_gives_other_weights(
    trained: TrainingResult, again: Callable[..., TrainingResult]
) -> None:
    name = "classifier/kernel:0"
    found = weights_of(again(recipe=replace(RECIPE, seed=1, epochs=1)).folder)[name]
    assert not numpy.array_equal(found, weights_of(trained.folder)[name])


def test_held_back_rows_are_never_trained_on(
    again: Callable[..., TrainingResult],
    rows: list[Row],
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tfclf.training import loop
    from tfclf.training.base import open_base

    seen: set[tuple[int, ...]] = set()
    make_step = loop._training_step

    def watched(*arguments: Any) -> Callable[..., Any]:
        step = make_step(*arguments)

        def watch(ids: Any, mask: Any, labels: Any) -> Any:
            lengths = mask.numpy().sum(axis=1)
            seen.update(
                tuple(row[:length]) for row, length in zip(ids.numpy(), lengths, strict=True)
            )
            return step(ids, mask, labels)

        return watch

    monkeypatch.setattr(loop, "_training_step", watched)
    again(recipe=replace(RECIPE, epochs=1))
    tokenizer = open_base(base, labels=LABELS).tokenizer
    parts = split(rows, LABELS, share=RECIPE.held_back, seed=RECIPE.seed)
    assert seen == {tuple(tokenizer(row.text)["input_ids"]) for row in parts.train}
    assert not seen & {tuple(tokenizer(row.text)["input_ids"]) for row in parts.held_back}


def test_training_stops_early_and_keeps_the_best_epoch(
    again: Callable[..., TrainingResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfclf.evaluation import evaluate
    from tfclf.training import loop
    from tfclf.training.state import TrainingState

    accuracies = iter([0.5, 0.75, 0.5, 0.5, 0.5])
    save_best = TrainingState.save_best
    kept: dict[str, Any] = {}

    def worsening(*arguments: Any) -> Any:
        return replace(evaluate(*arguments), accuracy=next(accuracies))

    def watched(self: TrainingState, checkpoint: Any, epoch: int) -> None:
        kept.update(
            (strip_scope(weight.name), weight.numpy()) for weight in checkpoint.model.weights
        )
        save_best(self, checkpoint, epoch)

    monkeypatch.setattr(loop, "evaluate", worsening)
    monkeypatch.setattr(TrainingState, "save_best", watched)
    result = again(recipe=replace(RECIPE, epochs=5, patience=2))
    assert (result.best_epoch, len(result.history)) == (2, 4)
    for name, values in weights_of(result.folder).items():
        numpy.testing.assert_array_equal(values, kept[name])


def test_the_command_trains_and_prints_json(base: Path, rows: list[Row], tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(
        "".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in rows)
    )
    app = typer.Typer()
    app.command()(train_command)
    options = ["--labels", "neg, pos", "--epochs", "1", "--learning-rate", "0.005", "--json"]
    output = tmp_path / "model"
    outcome = CliRunner().invoke(
        app, [str(base), str(data), "-o", str(output), *options], catch_exceptions=False
    )
    assert outcome.exit_code == 0, outcome.output
    content = json.loads(outcome.stdout)
    assert content["folder"] == str(output)
    assert content["held_back"]["labels"] == ["neg", "pos"]
