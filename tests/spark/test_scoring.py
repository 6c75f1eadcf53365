"""Scoring in a worker, without Spark: order, problem types, and a smaller length limit."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfclf
from samples.checkpoints import edit_json, tiny_checkpoint
from tfclf.decision import Rule
from tfclf.errors import InputError
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from tfclf.spark.options import Options
from tfclf.spark.scoring import score_texts
from tfclf.spark.sparknlp.annotation import DOCUMENT, Annotation
from tfclf.spark.sparknlp.classes import Classes
from tfclf.spark.structs import make_structs

_TEXTS = [
    "the team won the match " * 9,
    "market",
    "",
    "the world of science " * 30,
    "goal",
]
_LIMIT = 12


def _load(folder: Path, **changes: Any) -> tfclf.Classifier:
    return tfclf.load(tiny_checkpoint(folder, n_layers=1, **changes))


@pytest.fixture(scope="module")
def multi_label(tmp_path_factory: pytest.TempPathFactory) -> tfclf.Classifier:
    """Return a tiny multi-label model."""
    return _load(tmp_path_factory.mktemp("multi") / "m", problem_type=MULTI_LABEL)


def _score(model: tfclf.Classifier, **options: Any) -> dict[str, Any]:
    return score_texts(model, [text.encode() for text in _TEXTS], Options(**options))


def test_rows_come_in_the_order_of_the_texts(multi_label: tfclf.Classifier) -> None:
    columns = _score(multi_label, batch_size=2)
    expected = [list((one.probabilities or {}).values()) for one in multi_label.predict(_TEXTS)]
    np.testing.assert_allclose(columns["probabilities"], expected, atol=1e-6)
    assert columns["label"].tolist() == [one.label for one in multi_label.predict(_TEXTS)]


def test_a_threshold_lists_the_labels_at_or_above_it(multi_label: tfclf.Classifier) -> None:
    columns = _score(multi_label, rule=Rule(threshold=0.5))
    rows = make_structs(columns, multi_label.labels, decided=["labels"]).to_pylist()
    for row in rows:
        assert row["labels"] == [label for label, value in row["probabilities"] if value >= 0.5]


@pytest.mark.parametrize("limit", [None, _LIMIT])
def test_a_rule_decides_as_predict_does(multi_label: tfclf.Classifier, limit: int | None) -> None:
    rule = Rule(top_k=2, threshold={multi_label.labels[0]: 0.1}, abstain_below=0.99)
    columns = score_texts(multi_label, [b"market", b"goal"], Options(max_length=limit, rule=rule))
    rows = make_structs(columns, multi_label.labels, decided=rule.columns).to_pylist()
    expected = multi_label.predict(["market", "goal"], **rule.arguments)
    for row, prediction in zip(rows, expected, strict=True):
        assert row["label"] is None
        assert row["labels"] == list(prediction.labels or ())
        assert row["top"] == [label for label, _ in prediction.top or ()]
        assert "is below 0.99" in row["reason"]


def test_spark_nlp_s_annotations_of_a_multi_label_model_are_one_per_label(
    multi_label: tfclf.Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfclf.spark.worker.load_model", lambda place: multi_label)
    document = Annotation(DOCUMENT, 0, 5, "market", {"sentence": "0"})
    (found,) = Classes("", Options(), coalesce=False, threshold=0.4).annotate([[document]])
    probabilities = multi_label.predict("market").probabilities or {}
    assert [one.result for one in found] == [
        label for label, value in probabilities.items() if value > 0.4
    ]


def test_a_regression_has_a_score_and_no_probabilities(tmp_path: Path) -> None:
    model = _load(tmp_path / "r", problem_type=REGRESSION, id2label={"0": "stars"})
    columns = _score(model)
    rows = make_structs(columns, model.labels).to_pylist()
    expected = [(one.label, pytest.approx(one.score, abs=1e-6)) for one in model.predict(_TEXTS)]
    assert [(row["label"], row["score"]) for row in rows] == expected
    assert {row["probabilities"] for row in rows} == {None}


@pytest.mark.sample(("roberta", "left"))
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", ["distilbert", "roberta"])
def test_a_smaller_limit_is_that_of_a_checkpoint_with_that_limit(
    tmp_path: Path, family: str, side: str
) -> None:
    whole = tiny_checkpoint(tmp_path / "whole", family=family, problem_type=SINGLE_LABEL)
    edit_json(whole / "tokenizer_config.json", truncation_side=side)
    short = Path(shutil.copytree(whole, tmp_path / "short"))
    edit_json(short / "tokenizer_config.json", model_max_length=_LIMIT)
    columns = _score(tfclf.load(whole), max_length=_LIMIT, batch_size=2)
    expected = tfclf.load(short).predict(_TEXTS)
    assert columns["truncated"].tolist() == [one.truncated for one in expected]
    assert columns["label"].tolist() == [one.label for one in expected]
    probabilities = [list((one.probabilities or {}).values()) for one in expected]
    np.testing.assert_allclose(columns["probabilities"], probabilities, atol=1e-6)


def test_a_limit_without_room_for_a_token_is_refused(multi_label: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match=r"2 special tokens around a text.*at least 3"):
        _score(multi_label, max_length=2)


@pytest.mark.parametrize("limit", [None, _LIMIT])
def test_no_texts_give_no_rows(multi_label: tfclf.Classifier, limit: int | None) -> None:
    columns = score_texts(multi_label, [], Options(max_length=limit))
    assert len(make_structs(columns, multi_label.labels)) == 0


def test_bytes_that_are_no_utf_8_get_an_answer(multi_label: tfclf.Classifier) -> None:
    columns = score_texts(multi_label, [b"\xff market"], Options())
    assert columns["label"].tolist() == [multi_label.predict("\ufffd market").label]
