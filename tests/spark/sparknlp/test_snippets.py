"""The Python of the five cards, run as it is published, on genuine tiny archives."""

import json
from collections.abc import Callable
from dataclasses import dataclass
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


# The others are exported in `make verify`: ten seconds of a core each and more.
_SAMPLE = pytest.mark.sample("distilbert_base_sequence_classifier_ag_news")
_WITH_ANSWERS = [card for card in CARDS if "allocine" not in card]


@dataclass(frozen=True)
class _Result:
    """The names that a snippet defines, and its one row."""

    names: dict[str, Any]
    row: Any

    @property
    def classifier(self) -> Any:
        return self.names["sequenceClassifier"]

    @property
    def annotation(self) -> Any:
        (found,) = self.row["class"]
        return found


@pytest.fixture(scope="module")
def results(spark: Any, cached: dict[str, Path], shared: Path) -> Callable[[str], _Result]:
    """Return the result of a card's snippet, by the card's name; each runs once."""

    @cache
    def run(card: str) -> _Result:
        names: dict[str, Any] = {"spark": spark}
        exec("from tfclf.spark.sparknlp import *", names)
        exec(read_snippet(shared, card).replace(_UNREADABLE, _READABLE), names)
        (row,) = names["result"].selectExpr("*", "class.result AS labels").collect()
        return _Result(names, row)

    return run


@_SAMPLE
@pytest.mark.parametrize("card", CARDS)
def test_a_card_s_snippet_runs_and_gives_one_label(
    results: Callable[[str], _Result], card: str
) -> None:
    (label,) = results(card).row.labels
    assert label in results(card).classifier.getClasses()


@_SAMPLE
@pytest.mark.parametrize("card", CARDS)
def test_probabilities_are_those_behind_the_tokenizer_of_training(
    results: Callable[[str], _Result], card: str
) -> None:
    found = results(card).annotation
    reference = tfclf.load(results(card).classifier.getModel()).predict(results(card).row.text)
    assert found.result == reference.label
    shown = {key: float(value) for key, value in found.metadata.items() if key != "sentence"}
    assert shown == pytest.approx(dict(reference.probabilities or {}), abs=1e-5)


@_SAMPLE
@pytest.mark.parametrize("card", CARDS)
def test_the_annotation_covers_the_document(results: Callable[[str], _Result], card: str) -> None:
    found, text = results(card).annotation, results(card).row.text
    assert (found.annotatorType, found.begin, found.end) == ("category", 0, len(text) - 1)
    assert (found.metadata["sentence"], found.embeddings) == ("0", [])


@_SAMPLE
@pytest.mark.parametrize("card", _WITH_ANSWERS)
def test_labels_stand_in_the_checkpoint_s_order(
    results: Callable[[str], _Result], shared: Path, card: str
) -> None:
    config = json.loads((_checkpoint(shared, results(card)) / "config.json").read_text())
    labels = config["id2label"]
    expected = [labels[number] for number in sorted(labels, key=int)]
    assert results(card).classifier.getClasses() == expected


@_SAMPLE
@pytest.mark.parametrize("card", _WITH_ANSWERS)
def test_metadata_has_the_keys_of_spark_nlp_s_own_answers(
    results: Callable[[str], _Result], shared: Path, card: str
) -> None:
    """Spark NLP 3.4.4 writes the keys as Some(World), later versions as World."""
    path = _checkpoint(shared, results(card)) / "spark_nlp_3.4.4_predictions.jsonl"
    genuine = json.loads(path.read_text(encoding="utf-8").splitlines()[0])["metadata"]
    keys = {key.removeprefix("Some(").removesuffix(")") for key in genuine}
    assert set(results(card).annotation.metadata) == keys


@_SAMPLE
@pytest.mark.parametrize("card", CARDS)
def test_columns_have_spark_nlp_s_schema(results: Callable[[str], _Result], card: str) -> None:
    schema = results(card).names["result"].schema
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


def _checkpoint(shared: Path, result: _Result) -> Path:
    """Return the checkpoint that the archive was made from."""
    family: str = result.classifier.family
    folder = {"xlm-roberta": "xlm_roberta_ag_news"}.get(family, family)
    return shared / "spark_nlp" / "checkpoints" / folder
