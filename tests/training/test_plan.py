"""The plan of a card's training: the card's values, given values, and what is missing."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tfclf.catalog import cards
from tfclf.catalog.cards import Card
from tfclf.errors import CardError, CheckpointError, DataError, InputError, SourceNotFoundError
from tfclf.training import Plan, plan_card

ALBERT = cards.find("en.classify.albert.ag_news")
ALLOCINE = cards.find("fr.classify.xlm_roberta.allocine")
PUBLISHED = [card for card in cards.cards() if card.training.base_model]


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of AG News of which tests read only the names."""
    folder = tmp_path_factory.mktemp("news")
    for name in ("train.csv", "test.csv", "validation.csv"):
        (folder / name).write_text("class,text\n1,Talks\n")
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each family with only the config.json of a base model."""
    folder = tmp_path_factory.mktemp("bases")
    for family in {card.family for card in cards.cards()}:
        (folder / family).mkdir()
        (folder / family / "config.json").write_text(json.dumps({"model_type": family}))
    return folder


def make_plan(card: Card, data: Path, bases: Path, **arguments: Any) -> Plan:
    return plan_card(card, data, **{"base": bases / card.family, **arguments})


def test_the_recipe_is_the_cards(news: Path, bases: Path) -> None:
    found = make_plan(ALBERT, news, bases).recipe.to_dict()
    assert {name: found[name] for name in ALBERT.training.recipe} == ALBERT.training.recipe


@pytest.mark.parametrize("card", PUBLISHED, ids=lambda card: card.name)
def test_every_figure_says_where_it_comes_from(card: Card, bases: Path, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nfine,1\n")
    sources = make_plan(card, tmp_path, bases, given={"seed": 7}).sources
    assert sources["seed"] == "given"
    assert sources["save_steps"] == "default"
    for name in set(card.training.recipe) - {"seed"}:
        assert sources[name] == ("assumed" if name in card.training.assumed else "card")


def test_the_epochs_of_a_card_that_publishes_them_are_its_own(news: Path, bases: Path) -> None:
    assert make_plan(ALBERT, news, bases).sources["epochs"] == "card"


def test_given_options_stand_in_the_place_of_the_cards(news: Path, bases: Path) -> None:
    plan = make_plan(ALBERT, news, bases, given={"epochs": 1, "patience": None})
    assert (plan.recipe.epochs, plan.recipe.patience) == (1, None)
    assert plan.recipe.learning_rate == ALBERT.training.recipe["learning_rate"]
    assert plan.to_dict()["overridden"] == {"epochs": {"card": 3, "used": 1}}


def test_labels_are_in_the_order_of_the_data_sets_numbers(news: Path, bases: Path) -> None:
    plan = make_plan(ALBERT, news, bases)
    assert ALBERT.labels == ("Business", "Sci/Tech", "Sports", "World")
    assert plan.labels == ("World", "Sports", "Business", "Sci/Tech")


def test_the_folders_own_test_split_is_measured(news: Path, bases: Path) -> None:
    plan = make_plan(ALBERT, news, bases)
    assert plan.to_dict()["files"] == {"train": ["train.csv"], "test": ["test.csv"]}


def test_a_folder_without_a_test_split_is_trained_on_all_the_same(
    bases: Path, tmp_path: Path
) -> None:
    (tmp_path / "train.csv").write_text("class,text\n1,Talks\n")
    plan = make_plan(ALBERT, tmp_path, bases)
    assert plan.test_rows is None
    assert plan.read_test_rows() is None


def test_files_of_the_folder_can_be_named(news: Path, bases: Path) -> None:
    plan = make_plan(ALBERT, news, bases, train_file="validation.csv", test_file="train.csv")
    assert plan.to_dict()["files"] == {"train": ["validation.csv"], "test": ["train.csv"]}


def test_files_elsewhere_can_be_named(news: Path, bases: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("class,text\n1,Talks\n")
    plan = make_plan(ALBERT, news, bases, train_file=tmp_path / "mine.csv")
    assert plan.rows.files == (tmp_path / "mine.csv",)


def test_the_data_may_be_a_file_and_then_nothing_is_measured_unasked(
    news: Path, bases: Path
) -> None:
    plan = make_plan(ALBERT, news / "validation.csv", bases)
    assert plan.to_dict()["files"] == {"train": ["validation.csv"], "test": []}
    plan = make_plan(ALBERT, news / "validation.csv", bases, test_file="test.csv")
    assert plan.to_dict()["files"]["test"] == ["test.csv"]


def test_rows_that_are_measured_are_not_trained_on(news: Path, bases: Path) -> None:
    with pytest.raises(
        DataError, match=r"test.csv of .* would be trained on and measured on.*--test FILE"
    ):
        make_plan(ALBERT, news, bases, train_file="test.csv")


def test_a_file_and_a_train_file_are_one_too_many(news: Path, bases: Path) -> None:
    with pytest.raises(
        InputError, match=r"train.csv is a file, and --train-file validation.csv another"
    ):
        make_plan(ALBERT, news / "train.csv", bases, train_file="validation.csv")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [],
            r"holds no train rows of AlloCiné: found nothing[;.]",
        ),
        (
            ["validation.parquet"],
            r"found validation.parquet. Expected train.csv, .*--train-file FILE",
        ),
    ],
)
def test_a_folder_without_training_rows_is_told(
    bases: Path, tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        make_plan(ALLOCINE, tmp_path, bases)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_file": "none.csv"}, r"none.csv does not exist"),
        ({"test_file": "none.csv"}, r"none.csv does not exist"),
    ],
)
def test_a_named_file_that_is_not_there_is_told(
    news: Path, bases: Path, arguments: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_plan(ALBERT, news, bases, **arguments)


def test_data_that_are_not_there_are_told(bases: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SourceNotFoundError, match=r"--data .*none does not exist. Expected the folder of AG News"
    ):
        make_plan(ALBERT, tmp_path / "none", bases)


def test_the_data_of_another_card_are_told(shared: Path, bases: Path) -> None:
    with pytest.raises(
        DataError, match=r"classes.txt names the labels World, .*those of AlloCiné are neg, pos"
    ):
        make_plan(ALLOCINE, shared / "data" / "ag_news", bases)


def test_a_card_whose_labels_are_not_its_data_sets_is_refused(news: Path, bases: Path) -> None:
    card = dataclasses.replace(ALBERT, labels=("neg", "pos"))
    with pytest.raises(
        CardError, match=r"has the labels neg, pos; its data set, AG News, has World"
    ):
        make_plan(card, news, bases)


def test_a_recipe_out_of_range_is_refused_by_its_option(news: Path, bases: Path) -> None:
    with pytest.raises(InputError, match=r"epochs is 0; .*--epochs"):
        make_plan(ALBERT, news, bases, given={"epochs": 0})


def test_a_card_without_a_base_model_says_what_makes_it(news: Path) -> None:
    with pytest.raises(InputError, match=r"names no base model .*`make demo-model`.*--base FOLDER"):
        plan_card(cards.find("en.classify.distilbert_mini.ag_news"), news)


def test_a_card_without_a_base_model_can_be_given_one(news: Path, bases: Path) -> None:
    plan = make_plan(cards.find("en.classify.distilbert_mini.ag_news"), news, bases)
    assert (plan.base, plan.base_source) == (bases / "distilbert", "given")


def test_a_base_model_that_is_not_at_hand_says_how_to_get_it(
    news: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        SourceNotFoundError,
        match=r"from albert/albert-base-v2\. .*tfclf pull albert/albert-base-v2 - or.*--base",
    ):
        plan_card(ALBERT, news)


def test_a_base_model_that_was_downloaded_is_found(
    news: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "models--albert--albert-base-v2"
    snapshot = home / "snapshots" / "8e2f239c5f8a2c0f253781ca60135db913e5c80c"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "albert"}')
    (snapshot / "model.safetensors").touch()
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(snapshot.name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    plan = plan_card(ALBERT, news)
    assert (plan.base, plan.base_source) == (snapshot, "assumed")
    plan = plan_card(ALBERT, news, base="albert/albert-base-v2")
    assert (plan.base, plan.base_source) == (snapshot, "given")


def test_a_base_of_another_family_is_refused(news: Path, bases: Path) -> None:
    with pytest.raises(
        InputError, match=r"has model_type 'roberta'; the card .* is of a 'albert' model"
    ):
        plan_card(ALBERT, news, base=bases / "roberta")


def test_a_base_that_is_not_there_is_told(news: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SourceNotFoundError,
        match=r"--base .*none does not exist, .*Expected a folder with the albert",
    ):
        plan_card(ALBERT, news, base=tmp_path / "none")


def test_a_base_without_a_config_is_told(news: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds nothing, and no config.json"):
        plan_card(ALBERT, news, base=tmp_path)
