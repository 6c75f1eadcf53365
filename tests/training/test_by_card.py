"""`tfclf train --card`: one small training for each data set, with the card's own family."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.training.tiny import make_family_base
from tfclf.catalog import cards
from tfclf.cli.train import train as train_command
from tfclf.errors import InputError

_WORDS = {
    "ag_news": {
        "World": ("war", "peace", "minister"),
        "Sports": ("goal", "cup", "match"),
        "Business": ("shares", "profit", "bank"),
        "Sci/Tech": ("chip", "software", "planet"),
    },
    "imdb": {"neg": ("poor", "dull", "awful"), "pos": ("lovely", "great", "warm")},
    "allocine": {"neg": ("déçu", "raté", "nul"), "pos": ("réussi", "génial", "émouvant")},
}
_FILLING = ("le", "film", "of", "it", "the", "day", "was", "in")
_NUMBERS = {"train": range(24), "test": range(24, 30)}
_CARDS = {
    "ag_news": "en.classify.albert.ag_news",
    "imdb": "en.classify.roberta.imdb",
    "allocine": "fr.classify.xlm_roberta.allocine",
}
_OPTIONS = (
    "--epochs",
    5,
    "--learning-rate",
    0.01,
    "--batch-size",
    8,
    "--max-length",
    16,
    "--held-back",
    0.25,
)


@dataclass(frozen=True)
class Run:
    """The output of a training: printed text and files."""

    data_set: str
    folder: Path
    stdout: str
    stderr: str

    @property
    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (self.folder / "metrics.json").read_text(encoding="utf-8")
        )
        return found


def invoke(*words: object) -> Any:
    app = typer.Typer()
    app.command()(train_command)
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)


def texts(words: Sequence[str], numbers: range) -> list[str]:
    """Return a different text for each number."""
    return [
        f"{_FILLING[number % 8]} {words[number % 3]} "
        f"{_FILLING[number // 8]} {words[number // 3 % 3]}"
        for number in numbers
    ]


def label_texts(data_set: str, split: str) -> Iterator[tuple[str, str]]:
    for label, words in _WORDS[data_set].items():
        yield from ((label, text) for text in texts(words, _NUMBERS[split]))


def write(data_set: str, folder: Path) -> None:
    for split in _NUMBERS:
        rows = list(label_texts(data_set, split))
        if data_set == "ag_news":
            numbers = {label: number for number, label in enumerate(_WORDS[data_set], 1)}
            cells = (f'"{numbers[label]}","A title","{text}"\r\n' for label, text in rows)
            (folder / f"{split}.csv").write_text(
                "\ufeff" + "".join(cells), encoding="utf-8", newline=""
            )
        elif data_set == "imdb":
            for number, (label, text) in enumerate(rows):
                path = folder / split / label / f"{number}_9.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"\ufeff{text}\0", encoding="utf-8")
        else:
            records = ({"review": text, "polarity": int(label == "pos")} for label, text in rows)
            lines = (json.dumps(record, ensure_ascii=False) for record in records)
            (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module", params=sorted(_CARDS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the command as a user would, on a model of one layer."""
    data_set = request.param
    folder = tmp_path_factory.mktemp(data_set)
    family = cards.find(_CARDS[data_set]).family
    words = [
        *_FILLING,
        "a",
        "title",
        *(word for words in _WORDS[data_set].values() for word in words),
    ]
    base = make_family_base(folder / "base", family, words)
    (folder / "data").mkdir()
    write(data_set, folder / "data")
    options = (
        "--card",
        _CARDS[data_set],
        "--base",
        base,
        "--data",
        folder / "data",
        "-o",
        folder / "model",
        *_OPTIONS,
    )
    done = invoke(*options)
    assert done.exit_code == 0, done.output
    return Run(data_set, folder / "model", done.stdout, done.stderr)


@pytest.mark.sample("ag_news")
def test_it_learns_far_beyond_chance(run: Run) -> None:
    assert run.metrics["test"]["eval_accuracy"] > 0.8


@pytest.mark.sample("ag_news")
def test_the_head_is_in_the_data_sets_order(run: Run) -> None:
    config = json.loads((run.folder / "config.json").read_text(encoding="utf-8"))
    assert list(config["id2label"].values()) == list(_WORDS[run.data_set])


@pytest.mark.sample("ag_news")
def test_metrics_say_what_came_from_the_card_and_what_did_not(run: Run) -> None:
    card = cards.find(_CARDS[run.data_set])
    origin = run.metrics["origin"]
    assert (origin["card"], origin["data_set"], origin["base_model"]) == (
        card.name,
        run.data_set,
        card.training.base_model,
    )
    assert origin["recipe_sources"]["epochs"] == "given"
    assert origin["recipe_sources"]["seed"] == "assumed"
    assert origin["overridden"]["learning_rate"] == {
        "card": card.training.recipe["learning_rate"],
        "used": 0.01,
    }
    assert run.metrics["recipe"]["seed"] == card.training.recipe["seed"]


@pytest.mark.sample("ag_news")
def test_the_plan_is_printed_before_the_training(run: Run) -> None:
    printed = " ".join(run.stderr.split())
    card = cards.find(_CARDS[run.data_set])
    assert f"epochs 5 given (the card's is {card.training.recipe['epochs']})" in printed
    assert "seed 42 assumed, not published" in printed
    assert "save_steps 500 tfclf's default" in printed


@pytest.mark.sample("ag_news")
def test_the_cards_figure_stands_beside_ours(run: Run) -> None:
    training = cards.find(_CARDS[run.data_set]).training
    published = cards.find(_CARDS[run.data_set]).metrics["eval_accuracy"]
    assert f"The card: accuracy {published:.4f} on {training.test_rows:,} rows; here " in run.stdout


@pytest.mark.sample("ag_news")
def test_all_rows_of_the_folder_are_read(run: Run) -> None:
    labels = len(_WORDS[run.data_set])
    rows = run.metrics["rows"]
    assert (rows["train"] + rows["held_back"], rows["test"]) == (24 * labels, 6 * labels)


@pytest.mark.sample("ag_news")
def test_the_trained_checkpoint_is_as_right_where_it_is_used(run: Run) -> None:
    from tfclf import load

    rows = list(label_texts(run.data_set, "test"))
    found = load(run.folder).predict(
        [("A title " if run.data_set == "ag_news" else "") + text for _, text in rows]
    )
    right = sum(
        prediction.label == label for prediction, (label, _) in zip(found, rows, strict=True)
    )
    assert right / len(rows) == run.metrics["test"]["eval_accuracy"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("base",), r"^DATA not given: .*tfclf train --card NAME --data FOLDER"),
        ((), r"^BASE and DATA not given"),
        (("base", "data", "--data", "other"), r"both DATA \(data\) and --data other are given"),
        (("base", "data", "--train-file", "x"), r"--train-file x is for --card"),
        (
            ("--card", "en.classify.roberta.imdb"),
            r"is trained on IMDB. Say where it is: --data FOLDER.*https://",
        ),
        (
            ("--card", "en.classify.roberta.imdb", "--labels", "a,b"),
            r"--labels and --card are given",
        ),
    ],
)
def test_options_that_do_not_go_together_are_told(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        invoke(*words, "-o", tmp_path / "model")
