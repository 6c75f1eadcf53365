"""Data sets of Hugging Face `datasets`: in memory, streamed, empty and in splits."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

import tfclf
from tfclf.errors import InputError
from tfclf.tables import score

DATA: dict[str, list[Any]] = {
    "id": [7, 8],
    "text": ["Shares jump after earnings", "Late goal wins the cup"],
}
DATA_SET = datasets.Dataset.from_dict(DATA)


@pytest.fixture(scope="module")
def expected(classifier: tfclf.Classifier) -> list[str]:
    return [prediction.label for prediction in classifier.predict(DATA["text"])]


def _stream() -> Iterator[dict[str, Any]]:
    for number, text in zip(DATA["id"], DATA["text"], strict=True):
        yield {"id": number, "text": text}


def test_labels_are_those_of_predict(classifier: tfclf.Classifier, expected: list[str]) -> None:
    assert score(DATA_SET, classifier)["label"][:] == expected


def test_other_columns_are_kept(classifier: tfclf.Classifier) -> None:
    assert score(DATA_SET, classifier)["id"][:] == [7, 8]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("label", datasets.Value("string")),
        ("score", datasets.Value("float32")),
        ("truncated", datasets.Value("bool")),
        ("top", datasets.List(datasets.Value("string"))),
    ],
)
def test_the_added_columns_have_types(
    classifier: tfclf.Classifier, column: str, kind: object
) -> None:
    assert score(DATA_SET, classifier, top_k=2).features[column] == kind


def test_a_map_has_a_number_for_each_label(classifier: tfclf.Classifier) -> None:
    features = score(DATA_SET, classifier, probabilities="map").features
    assert features["probabilities"] == {
        label: datasets.Value("float32") for label in classifier.labels
    }


def test_another_model_at_the_same_path_is_not_answered_from_the_cache(
    own_export: Path, short_export: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows"
    DATA_SET.save_to_disk(rows)
    first = score(datasets.load_from_disk(rows), tfclf.load(own_export))
    shutil.rmtree(own_export)
    shutil.copytree(short_export, own_export)
    other = tfclf.load(own_export)
    second = score(datasets.load_from_disk(rows), other)
    expected = pytest.approx([one.score for one in other.predict(DATA["text"])])
    assert second["score"][:] == expected
    assert first["score"][:] != expected


def test_a_label_that_is_missing_in_all_rows_keeps_its_type(classifier: tfclf.Classifier) -> None:
    scored = score(DATA_SET, classifier, abstain_below=1.0)
    assert (scored["label"][:], scored.features["label"].dtype) == ([None, None], "string")


def test_a_data_set_without_rows_gets_the_columns(classifier: tfclf.Classifier) -> None:
    assert "label" in score(DATA_SET.select([]), classifier).column_names


def test_a_streamed_data_set_is_scored(classifier: tfclf.Classifier, expected: list[str]) -> None:
    scored = score(DATA_SET.to_iterable_dataset(), classifier)
    assert [row["label"] for row in scored] == expected


def test_a_streamed_data_set_may_not_know_its_columns(
    classifier: tfclf.Classifier, expected: list[str]
) -> None:
    scored = score(datasets.IterableDataset.from_generator(_stream), classifier)
    assert [row["label"] for row in scored] == expected


def test_a_missing_column_of_a_streamed_data_set_is_named(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="no column 'body': found id, text"):
        score(datasets.IterableDataset.from_generator(_stream), classifier, column="body")


@pytest.mark.parametrize("kind", [datasets.DatasetDict, datasets.IterableDatasetDict])
def test_each_split_is_scored(
    classifier: tfclf.Classifier, expected: list[str], kind: type
) -> None:
    part: Any = DATA_SET
    if kind is datasets.IterableDatasetDict:
        part = DATA_SET.to_iterable_dataset()
    scored = score(kind({"train": part, "test": part}), classifier)
    assert {name: [row["label"] for row in split] for name, split in scored.items()} == {
        "train": expected,
        "test": expected,
    }


def test_a_missing_column_of_a_split_is_named(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="no column 'body': found id, text"):
        score(datasets.DatasetDict({"train": DATA_SET}), classifier, column="body")
