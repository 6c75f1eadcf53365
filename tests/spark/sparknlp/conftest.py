"""Genuine archives of Spark NLP, in the cache under the cards' names."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.spark.conftest import BUNDLED
from tfclf.catalog import cards
from tfclf.catalog.local import RECORD_FORMAT, Record, archive_place
from tfclf.spark.sparknlp import (
    DistilBertForSequenceClassification,
    DocumentAssembler,
    SentenceDetector,
    Tokenizer,
)

CARDS = {
    "albert_base_sequence_classifier_ag_news": "albert_tiny_sequence_classifier_ag_news_en",
    "distilbert_base_sequence_classifier_ag_news": "distilbert_tiny_sequence_classifier_ag_news_en",
    "roberta_base_sequence_classifier_imdb": "roberta_tiny_sequence_classifier_imdb_en",
    "xlm_roberta_base_sequence_classifier_ag_news": (
        "xlm_roberta_tiny_sequence_classifier_ag_news_en"
    ),
    # There is no French archive; the snippet runs on the other XLM-RoBERTa.
    "xlm_roberta_base_sequence_classifier_allocine": (
        "xlm_roberta_tiny_sequence_classifier_ag_news_en"
    ),
}


@pytest.fixture(scope="session")
def archives(shared: Path) -> dict[str, Path]:
    """Return the archive that stands for each card's, by the card's name."""
    folder = shared / "spark_nlp" / "archives"
    return {card: folder / f"{archive}_3.4.4_3.0.zip" for card, archive in CARDS.items()}


@pytest.fixture(scope="session")
def cached(
    archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """Put the archives where `tfclf pull` puts the published ones; return them."""
    cache = tmp_path_factory.mktemp("cache")
    for name, archive in archives.items():
        published = cards.find(name).archive
        assert published is not None
        place = archive_place(cache, name, published.url)
        place.folder.mkdir(parents=True)
        shutil.copyfile(archive, place.path)
        size = archive.stat().st_size
        record = Record(published.url, published.url, size, "", None, "2026-01-01T00:00:00Z")
        content = {"format_version": RECORD_FORMAT, **dataclasses.asdict(record)}
        place.record_path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCLF_CACHE", str(cache))
        yield archives


def read_snippet(shared: Path, card: str) -> str:
    """Return the Python of a card as it is published."""
    text = (shared / "cards" / f"{card}.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def make_stages(*, by_sentence: bool = False) -> list[Any]:
    """Return the stages from texts to classes, by the bundled model."""
    document = DocumentAssembler().setInputCol("text").setOutputCol("document")
    name = "sentence" if by_sentence else "document"
    sentence = SentenceDetector().setInputCols(["document"]).setOutputCol("sentence")
    tokens = Tokenizer().setInputCols([name]).setOutputCol("token")
    classes = DistilBertForSequenceClassification.loadSavedModel(str(BUNDLED), None)
    classes.setInputCols("token", name).setOutputCol("class")
    return [document, *([sentence] if by_sentence else []), tokens, classes]
