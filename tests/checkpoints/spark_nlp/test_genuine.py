"""Archives that Spark NLP 3.4.4 and 5.5.3 wrote, beside the checkpoints that they were made from.

The reference is the original TF class with the weights of ../shared/spark_nlp/checkpoints, behind
the tokenizer of its training over the original files of ../shared/vocab. The outputs of Spark NLP
3.4.4 on 200 real rows lie beside.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from samples import corpora
from samples.checkpoints import ROOT
from samples.tokenizers import PUBLISHED
from tfclf._transformers import tf_class
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.graph.build import build
from tfclf.sample_texts import hostile_texts
from tfclf.tokenization.read import load_reference

# Family: archive, published tokenizer, checkpoint that went in.
FAMILIES = {
    "distilbert": (
        "distilbert_tiny_sequence_classifier_ag_news_en",
        "distilbert-base-uncased, vocab.txt",
        "distilbert",
    ),
    "albert": (
        "albert_tiny_sequence_classifier_ag_news_en",
        "albert-base-v2, spiece.model",
        "albert",
    ),
    "roberta": ("roberta_tiny_sequence_classifier_imdb_en", "roberta-base, vocab.json", "roberta"),
    "xlm-roberta": (
        "xlm_roberta_tiny_sequence_classifier_ag_news_en",
        "xlm-roberta-base, sentencepiece.bpe.model",
        "xlm_roberta_ag_news",
    ),
}
_BATCH = 50
_WITHIN_ROUNDING = 1
# transformers' own note, and what the archive's weights say without it.
_NOTES = {"architectures", "transformers_version"}
_HOSTILE = [text[:300] for text in hostile_texts(100)]


@dataclass(frozen=True)
class Imported:
    """An archive's checkpoint, its outputs and the original's, on 200 real, 100 hostile texts."""

    checkpoint: Checkpoint
    folder: Path
    ids: list[list[int]]
    logits: np.ndarray
    labels: list[str]
    right_ids: list[list[int]]
    right_logits: np.ndarray


@pytest.fixture(scope="session")
def imported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Imported]:
    """By family; each is imported once."""

    @cache
    def make(family: str) -> Imported:
        archive, published, name = FAMILIES[family]
        rows = corpora.imdb(shared) if family == "roberta" else corpora.ag_news(shared)
        texts = [*rows[:200], *_HOSTILE]
        checkpoint = open_checkpoint(shared / "spark_nlp" / "archives" / f"{archive}_3.4.4_3.0.zip")
        graph, _ = build(checkpoint, name=family)
        answer = tf.function(
            lambda text: {**graph.classify_text(text), "ids": graph.tokenize(text)}
        )
        tokenizer = load_reference(PUBLISHED[published](shared, tmp_path_factory.mktemp(name)))
        model = tf_class(checkpoint.family.tf_class).from_pretrained(
            shared / "spark_nlp" / "checkpoints" / name
        )
        parts: list[tuple[list[list[int]], np.ndarray, list[str], list[list[int]], np.ndarray]] = []
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            found = answer(tf.constant(batch))
            ids = tf.ragged.boolean_mask(
                found["ids"]["input_ids"], found["ids"]["attention_mask"] > 0
            )
            encoded = tokenizer(
                batch, truncation=True, max_length=512, padding=True, return_tensors="np"
            )
            masked = zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
            right = [row[mask > 0].tolist() for row, mask in masked]
            logits = model(dict(encoded), training=False).logits.numpy()
            labels = [label.decode() for label in found["label"].numpy()]
            parts.append((ids.to_list(), found["logits"].numpy(), labels, right, logits))
        ids_, logits_, labels_, right_ids, right_logits = zip(*parts, strict=True)
        return Imported(
            checkpoint,
            shared / "spark_nlp" / "checkpoints" / name,
            list(chain(*ids_)),
            np.concatenate(logits_),
            list(chain(*labels_)),
            list(chain(*right_ids)),
            np.concatenate(right_logits),
        )

    return make


@pytest.mark.sample("albert", "distilbert")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_config_is_that_of_the_checkpoint_that_went_in(family: str, shared: Path) -> None:
    archive, _, name = FAMILIES[family]
    checkpoint = open_checkpoint(shared / "spark_nlp" / "archives" / f"{archive}_3.4.4_3.0.zip")
    folder = shared / "spark_nlp" / "checkpoints" / name
    expected = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    expected = {key: value for key, value in expected.items() if key not in _NOTES}
    assert {key: checkpoint.config.get(key) for key in expected} == expected
    assert checkpoint.labels == tuple(expected["id2label"].values())
    assert checkpoint.max_length == 512


@pytest.mark.sample("distilbert")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_token_ids_are_those_of_training(
    family: str, imported: Callable[[str], Imported]
) -> None:
    found = imported(family)
    assert found.ids == found.right_ids


@pytest.mark.sample("distilbert")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_those_of_the_original(
    family: str, imported: Callable[[str], Imported]
) -> None:
    found = imported(family)
    np.testing.assert_allclose(found.logits, found.right_logits, atol=1e-5, rtol=0)


def test_a_newer_spark_nlp_writes_the_same_model(
    shared: Path, imported: Callable[[str], Imported]
) -> None:
    archive = shared / "spark_nlp" / "archives" / f"{FAMILIES['distilbert'][0]}_5.5.3_3.0.zip"
    newer, older = open_checkpoint(archive), imported("distilbert").checkpoint
    assert (newer.labels, newer.max_length, newer.problem_type) == (
        older.labels,
        older.max_length,
        older.problem_type,
    )
    assert newer.config == older.config
    assert newer.read_tokenizer().model == older.read_tokenizer().model
    for one, other in zip(newer.load_model().weights, older.load_model().weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.sample("distilbert")
@pytest.mark.parametrize("family", FAMILIES)
def test_spark_nlp_differs_as_often_as_the_page_says(
    family: str, imported: Callable[[str], Imported]
) -> None:
    found = imported(family)
    with (found.folder / "spark_nlp_3.4.4_predictions.jsonl").open(encoding="utf-8") as file:
        theirs = [json.loads(line) for line in file]
    labels = found.checkpoint.labels
    # In its metadata, 3.4.4 prints a label as Some(World).
    shares = np.array(
        [[float(row["metadata"][f"Some({label})"]) for label in labels] for row in theirs]
    )
    ours = tf.nn.softmax(found.logits[: len(theirs)]).numpy()
    apart = int((np.abs(ours - shares).max(axis=1) > 1e-3).sum())
    other = sum(row["result"] != label for row, label in zip(theirs, found.labels, strict=False))
    page = (ROOT / "docs" / "spark-nlp.md").read_text(encoding="utf-8")
    line = re.search(
        rf"^\| `{family}` \| (\d+) of {len(theirs)} \| (\d+) of {len(theirs)} \|",
        page,
        re.MULTILINE,
    )
    assert line, f"docs/spark-nlp.md has no line for {family}: {apart}, {other} of {len(theirs)}"
    assert abs(int(line[1]) - apart) <= _WITHIN_ROUNDING
    assert abs(int(line[2]) - other) <= _WITHIN_ROUNDING
