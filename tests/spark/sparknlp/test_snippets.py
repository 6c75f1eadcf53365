"""The Python of the five cards, run as it is published, on genuine tiny archives."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tfclf
from tests.spark.sparknlp.conftest import CARDS, read_snippet
from tfclf.spark import sparknlp

# This card's text has a quotation mark that ends its string: no Python reads it. It is the only
# change to a snippet.
_UNREADABLE = "['j'ai bien aime le film harry potter!']"
_READABLE = '["j\'ai bien aime le film harry potter!"]'


@pytest.fixture(scope="module")
def results(spark: Any, cached: dict[str, Path], shared: Path) -> Callable[[str], Any]:
    """Return the names that a card's snippet defines, by the card's name; each runs once."""

    @cache
    def run(card: str) -> dict[str, Any]:
        names: dict[str, Any] = {"spark": spark}
        exec("from tfclf.spark.sparknlp import *", names)
        exec(read_snippet(shared, card).replace(_UNREADABLE, _READABLE), names)
        return names

    return run


@pytest.mark.parametrize("card", CARDS)
def test_a_card_s_snippet_runs_and_gives_one_label(
    results: Callable[[str], Any], card: str
) -> None:
    names = results(card)
    (row,) = names["result"].select("class.result").collect()
    assert len(row.result) == 1
    assert row.result[0] in names["sequenceClassifier"].getClasses()


@pytest.mark.parametrize("card", CARDS)
def test_probabilities_are_those_behind_the_tokenizer_of_training(
    results: Callable[[str], Any], archives: dict[str, Path], card: str
) -> None:
    names = results(card)
    (row,) = names["result"].collect()
    (found,) = row["class"]
    reference = tfclf.load(names["sequenceClassifier"].getModel()).predict(row.text)
    assert found.result == reference.label
    shown = {key: float(value) for key, value in found.metadata.items() if key != "sentence"}
    assert shown == pytest.approx(dict(reference.probabilities or {}), abs=1e-5)


@pytest.mark.parametrize("card", CARDS)
def test_the_annotation_covers_the_document(results: Callable[[str], Any], card: str) -> None:
    (row,) = results(card)["result"].collect()
    (found,) = row["class"]
    assert (found.annotatorType, found.begin, found.end) == ("category", 0, len(row.text) - 1)
    assert (found.metadata["sentence"], found.embeddings) == ("0", [])


@pytest.mark.parametrize("card", [card for card in CARDS if "allocine" not in card])
def test_labels_stand_in_the_checkpoint_s_order(
    results: Callable[[str], Any], shared: Path, card: str
) -> None:
    family = results(card)["sequenceClassifier"].family
    folder = {"xlm-roberta": "xlm_roberta_ag_news"}.get(family, family)
    config = json.loads((shared / "spark_nlp" / "checkpoints" / folder / "config.json").read_text())
    labels = config["id2label"]
    expected = [labels[number] for number in sorted(labels, key=int)]
    assert results(card)["sequenceClassifier"].getClasses() == expected


@pytest.mark.parametrize("card", [card for card in CARDS if "allocine" not in card])
def test_metadata_has_the_keys_of_spark_nlp_s_own_answers(
    results: Callable[[str], Any], shared: Path, card: str
) -> None:
    """Spark NLP 3.4.4 writes the keys as Some(World), later versions as World."""
    family = results(card)["sequenceClassifier"].family
    folder = {"xlm-roberta": "xlm_roberta_ag_news"}.get(family, family)
    path = shared / "spark_nlp" / "checkpoints" / folder / "spark_nlp_3.4.4_predictions.jsonl"
    genuine = json.loads(path.read_text(encoding="utf-8").splitlines()[0])["metadata"]
    (row,) = results(card)["result"].collect()
    keys = {key.removeprefix("Some(").removesuffix(")") for key in genuine}
    assert set(row["class"][0].metadata) == keys


@pytest.mark.parametrize("card", list(CARDS)[:1])
def test_columns_have_spark_nlp_s_schema(results: Callable[[str], Any], card: str) -> None:
    schema = results(card)["result"].schema
    for name, kind in {"document": "document", "token": "token", "class": "category"}.items():
        assert schema[name].dataType == sparknlp.Annotation.arrayType()
        assert schema[name].metadata == {"annotatorType": kind}
    assert schema["class"].dataType.simpleString() == (
        "array<struct<annotatorType:string,begin:int,end:int,result:string,"
        "metadata:map<string,string>,embeddings:array<float>>>"
    )


def test_the_published_snippet_of_allocine_is_no_python(shared: Path) -> None:
    snippet = read_snippet(shared, "xlm_roberta_base_sequence_classifier_allocine")
    assert _UNREADABLE in snippet
    with pytest.raises(SyntaxError):
        compile(snippet, "card", "exec")
