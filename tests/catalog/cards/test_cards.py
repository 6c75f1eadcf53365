"""The model cards: as published, found by name, shown."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.checkpoints import ROOT
from tfclf.catalog import cards
from tfclf.catalog.cards import Card, snippet
from tfclf.catalog.cards.read import read
from tfclf.cli.commands import ALL
from tfclf.errors import CardError, SourceNotFoundError
from tfclf.families import family_of
from tfclf.training import Recipe

PUBLISHED = [card for card in cards.cards() if card.archive is not None]
BUNDLED = [card for card in cards.cards() if card.saved_model is not None]
each_card = pytest.mark.parametrize("card", cards.cards(), ids=lambda card: card.name)
each_published = pytest.mark.parametrize("card", PUBLISHED, ids=lambda card: card.name)


def original(card: Card, shared: Path) -> str:
    return (shared / "cards" / f"{card.name}.md").read_text(encoding="utf-8")


def row(text: str, name: str) -> str:
    """A cell of the original's table of facts."""
    found = re.search(rf"\|{name}:\|(.*?)\|", text)
    assert found is not None
    return found[1]


def test_every_original_has_a_card(shared: Path) -> None:
    assert {path.stem for path in (shared / "cards").glob("*.md")} == {
        card.name for card in PUBLISHED
    }


@each_published
def test_the_labels_are_the_originals_in_its_order(card: Card, shared: Path) -> None:
    section = original(card, shared).split("## Predicted Entities")[1].split("{:")[0]
    assert tuple(re.findall(r"`([^`]+)`", section)) == card.labels


@each_published
def test_the_facts_are_the_originals(card: Card, shared: Path) -> None:
    text = original(card, shared)
    found = {
        "Model Name": card.name,
        "Compatibility": card.spark_nlp and card.spark_nlp.compatibility,
        "License": card.licence,
        "Language": card.language,
        "Case sensitive": str(card.case_sensitive).lower(),
        "Max sentense length": str(card.max_length),
    }
    assert found == {name: row(text, name) for name in found}


@each_published
def test_the_reference_and_the_example_are_the_originals(card: Card, shared: Path) -> None:
    text = original(card, shared)
    found = re.search(r'nlu\.load\("([^"]+)"\)', text)
    assert found is not None
    assert (found[1],) == card.nlu_references
    assert f"createDataFrame([['{card.example}']])" in text


@each_published
def test_the_archive_is_the_originals(card: Card, shared: Path) -> None:
    text = original(card, shared)
    assert card.archive is not None
    assert f"[Download]({card.archive.url})" in text
    assert card.archive.size == (row(text, "Size") if "|Size:|" in text else None)


@each_published
def test_the_annotator_and_the_day_are_the_originals(card: Card, shared: Path) -> None:
    text = original(card, shared)
    assert card.spark_nlp is not None
    # One original's front matter spells it AlBert; its snippet, which runs, Albert.
    assert (
        f"= {card.spark_nlp.annotator} \\" in text
        or f"annotator: {card.spark_nlp.annotator}" in text
    )
    assert f"date: {card.published}" in text


@each_published
def test_the_metrics_are_the_originals(card: Card, shared: Path) -> None:
    benchmark = original(card, shared).split("## Benchmarking")[1]
    printed = re.findall(r'"(eval_\w+)": ([\d.]+)', benchmark)
    if printed:
        assert dict(card.metrics) == {name: float(value) for name, value in printed}
        epochs = re.search(r'"epoch": ([\d.]+)', benchmark)
        assert epochs is not None
        assert card.training.recipe["epochs"] == float(epochs[1])
        return
    lines = {
        name.strip(): values.split()
        for name, values in re.findall(r"(?m)^(\D+?)\s{2,}([\d. ]+)$", benchmark)
    }
    columns = ("precision", "recall", "f1-score", "support")
    for label, found in card.metrics_by_class.items():
        assert [found[column] for column in columns] == [float(value) for value in lines[label]]
    assert card.metrics["eval_accuracy"] == float(lines["accuracy"][0])
    for average in ("macro", "weighted"):
        named = [
            card.metrics[f"eval_{average}_{metric}"] for metric in ("precision", "recall", "f1")
        ]
        assert named == [float(value) for value in lines[f"{average} avg"][:3]]


@each_published
def test_the_test_rows_are_those_of_the_published_run(card: Card) -> None:
    if "eval_runtime" in card.metrics:
        counted = card.metrics["eval_runtime"] * card.metrics["eval_samples_per_second"]
    else:
        counted = sum(found["support"] for found in card.metrics_by_class.values())
    assert card.training.test_rows == pytest.approx(counted, rel=1e-4)


@pytest.mark.parametrize("card", BUNDLED, ids=lambda card: card.name)
def test_a_bundled_models_card_says_what_its_own_files_say(card: Card) -> None:
    assert card.saved_model is not None
    measured = json.loads((ROOT / card.saved_model / "metrics.json").read_text(encoding="utf-8"))
    assert dict(card.metrics) == {name: measured["test"][name] for name in card.metrics}
    assert list(card.labels) == measured["labels"]
    assert dict(card.training.recipe) == {
        name: measured["recipe"][name] for name in card.training.recipe
    }


@each_card
def test_the_recipe_is_one_that_training_takes(card: Card) -> None:
    assert Recipe(**card.training.recipe).max_length is not None


@each_card
def test_what_is_assumed_is_there(card: Card) -> None:
    assert set(card.training.assumed) <= {"base_model", *card.training.recipe}


@each_card
def test_the_family_is_declared(card: Card) -> None:
    assert family_of(card.family, source=card.name).weights


@each_card
def test_a_card_is_found_by_each_of_its_names(card: Card) -> None:
    assert all(cards.find(name) is card for name in (card.name, *card.nlu_references))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("en.classify.albert.agnews", "en.classify.albert.ag_news"),
        ("albert_base_sequence_clasifier_ag_news", "albert_base_sequence_classifier_ag_news"),
        ("EN.CLASSIFY.ROBERTA.IMDB", "en.classify.roberta.imdb"),
        ("allocine", "fr.classify.xlm_roberta.allocine"),
    ],
)
def test_a_wrong_name_gets_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(
        SourceNotFoundError, match=rf"NLU reference {wrong!r}\. Nearest: .*{re.escape(near)}"
    ):
        cards.find(wrong)


def test_a_name_like_no_other_gets_all() -> None:
    with pytest.raises(
        SourceNotFoundError, match="There are: albert_base_sequence_classifier_ag_news, "
    ):
        cards.find("日本語")


@given(st.text())
def test_any_text_finds_a_card_or_says_that_there_is_none(name: str) -> None:
    if cards.is_name(name):
        return
    with pytest.raises(SourceNotFoundError):
        cards.find(name)


@each_card
def test_the_snippet_is_python_that_names_the_card(card: Card) -> None:
    compile(snippet.python(card), card.name, "exec")
    assert f'tfclf.load("{card.nlu_references[0]}")' in snippet.python(card)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("language =", "langauge ="),
            "langauge is no key of a card. Expected one of: name, title",
        ),
        (('language = "en"\n', ""), "lacks language. Add it"),
        (
            ("max_length = 512", 'max_length = "512"'),
            "max_length is '512'; expected a whole number.",
        ),
        (("max_length = 512", "max_length = true"), "max_length is True; expected a whole number."),
        (('"Sports"', '"World"'), "each once"),
        (('"Sports"', "7"), "labels is 7; expected text."),
        (("[training]", "[training"), "is not TOML"),
        (("eval_loss = 0", 'eval_loss = "0'), "is not TOML"),
        (
            ("test_rows", "rows"),
            "training.rows is no key of a card. Expected one of: training.data_set",
        ),
        (("name =", 'name = "another"\n# ='), "expected the file's"),
        (
            ("[metrics]\n", '[metrics]\neval_f2 = "good"\n'),
            "metrics.eval_f2 is 'good'; expected a number.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_card_is_refused(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    source = ROOT / "tfclf" / "catalog" / "cards" / f"{BUNDLED[0].name}.toml"
    text = source.read_text(encoding="utf-8")
    assert change[0] in text
    spoilt = tmp_path / source.name
    spoilt.write_text(text.replace(change[0], change[1], 1), encoding="utf-8")
    with pytest.raises(CardError, match=re.escape(message)) as caught:
        read(spoilt)
    assert str(spoilt) in str(caught.value)


def test_a_card_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(CardError, match="is not TOML"):
        read(tmp_path / "a.toml")


def command(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    (run,) = (command for command in ALL if command.__name__ == "cards")
    run(*arguments)
    return capsys.readouterr().out


def test_the_list_names_every_card_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    shown = command(capsys)
    for card in cards.cards():
        assert card.name in shown
        assert all(reference in shown for reference in card.nlu_references)


def test_the_list_for_machines_is_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(command(capsys, None, True)) == [
        json.loads(json.dumps(card.to_dict())) for card in cards.cards()
    ]


@each_card
def test_a_page_has_labels_metrics_and_the_snippet(
    capsys: pytest.CaptureFixture[str], card: Card
) -> None:
    shown = command(capsys, card.nlu_references[0])
    assert ", ".join(card.labels) in shown
    assert all(name in shown and f"{value:g}" in shown for name, value in card.metrics.items())
    assert all(line in shown for line in snippet.python(card).splitlines())


def test_a_page_for_machines_is_that_card(capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(command(capsys, "fr.classify.xlm_roberta.allocine", True))
    assert shown["labels"] == ["neg", "pos"]
    assert "AlloCiné" in shown["description"]


def test_cards_are_shown_without_tensorflow_and_in_utf_8_whatever_the_locale() -> None:
    script = (
        "import sys; sys.argv = ['tfclf', 'cards', 'fr.classify.xlm_roberta.allocine']\n"
        "from tfclf.cli import main\n"
        "try: main()\n"
        "finally: assert 'tensorflow' not in sys.modules\n"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=False
    )
    assert done.stderr.decode() == ""
    assert "AlloCiné" in done.stdout.decode("utf-8")
