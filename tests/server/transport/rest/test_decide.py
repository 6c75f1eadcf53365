"""POST :decide, our own form: the predictions of the classifier in process, with its rules."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

import tfclf
from tfclf.saved_model.manifest import Manifest
from tfclf.server import serve

TEXTS = ["news", "late goal", "caf\u00e9 \U0001f44d"]
_THRESHOLDS = {"red": 0.0, "green": 0.4, "blue": 1.0}


@pytest.fixture(scope="module")
def version(multi_label_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a multi-label export with calibrated thresholds."""
    folder = tmp_path_factory.mktemp("decide") / "colours" / "1"
    shutil.copytree(multi_label_export, folder)
    replace(Manifest.read(folder), thresholds=_THRESHOLDS).write(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(version: Path) -> tfclf.Classifier:
    return tfclf.load(version)


@pytest.fixture(scope="module")
def url(version: Path, half_plus_two_base: Path, tmp_path_factory: Any) -> Iterator[str]:
    config = tmp_path_factory.mktemp("config") / "models.config"
    entry = 'config {{ name: "{0}" base_path: "{1}" model_platform: "tensorflow" }}\n'
    models = {"colours": version.parent, "half": half_plus_two_base}
    entries = "".join(entry.format(*model) for model in models.items())
    config.write_text(f"model_config_list {{ {entries} }}")
    with serve(config, port=0, rest_port=0) as server:
        yield f"{server.rest_url}/v1/models"


def ask(url: str, model: str = "colours", **content: Any) -> httpx.Response:
    return httpx.post(f"{url}/{model}:decide", json=content, timeout=60)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"top_k": 2},
        {"threshold": 0.5},
        {"threshold": {"red": 0.9}},
        {"threshold": [0.1, 0.2, 0.9]},
        {"threshold": "calibrated"},
        {"abstain_below": 1.0, "top_k": 1},
    ],
)
def test_predictions_are_those_in_process(
    url: str, classifier: tfclf.Classifier, options: dict[str, Any]
) -> None:
    answer = ask(url, texts=TEXTS, **options).json()
    assert (answer["model"], answer["version"]) == ("colours", 1)
    for given, expected in zip(
        answer["predictions"], classifier.predict(TEXTS, **options), strict=True
    ):
        same = expected.to_dict()
        assert given.keys() == same.keys()
        assert (given["label"], given.get("labels")) == (same["label"], same.get("labels"))
        assert given["score"] == pytest.approx(same["score"], abs=1e-6)
        assert [one["label"] for one in given.get("top", [])] == [
            one["label"] for one in same.get("top", [])
        ]


def test_calibrated_thresholds_choose_the_labels(url: str) -> None:
    (one,) = ask(url, texts=["news"], threshold="calibrated").json()["predictions"]
    assert "red" in one["labels"]
    assert "blue" not in one["labels"]


def test_pairs_are_classified_together(url: str, classifier: tfclf.Classifier) -> None:
    (one,) = ask(url, texts=["a"], pairs=["news"]).json()["predictions"]
    assert one["score"] == pytest.approx(classifier.predict("a", pairs="news").score, abs=1e-6)


def test_no_texts_give_no_predictions(url: str) -> None:
    assert ask(url, texts=[], top_k=1).json()["predictions"] == []


def test_a_version_may_be_named(url: str) -> None:
    assert ask(url, "colours/versions/1", texts=["a"]).status_code == 200
    assert ask(url, "colours/versions/7", texts=["a"]).status_code == 404


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "The body has no 'texts'"),
        ({"texts": "a"}, "texts is a bare str"),
        ({"texts": ["a", None]}, "texts[1] is None"),
        ({"texts": [["a"]]}, "texts[0]"),
        ({"texts": {"a": 1}}, "texts is a dict"),
        ({"texts": ["a"], "pairs": []}, "1 texts and 0 pairs"),
        ({"texts": ["a"], "topk": 1}, "the key 'topk'"),
        ({"texts": ["a"], "top_k": 0}, "top_k is 0"),
        ({"texts": ["a"], "threshold": 2}, "threshold is 2; expected a number from 0 to 1"),
        ({"texts": ["a"], "threshold": {"pink": 0.1}}, "the label 'pink'"),
        ({"texts": ["a"], "abstain_below": "x"}, "abstain_below is 'x'"),
    ],
)
def test_a_mistake_is_told(url: str, content: dict[str, Any], message: str) -> None:
    answer = ask(url, **content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_a_body_that_is_no_json_is_told(url: str) -> None:
    answer = httpx.post(f"{url}/colours:decide", content=b"[" * 100_000)
    assert answer.status_code == 400
    assert "no JSON" in answer.json()["error"]


def test_a_model_that_tfclf_did_not_make_is_told(url: str) -> None:
    answer = ask(url, "half", texts=["a"])
    assert answer.status_code == 400
    assert "no export of tfclf" in answer.json()["error"]


def test_an_unknown_model_is_not_found(url: str) -> None:
    assert ask(url, "none", texts=["a"]).status_code == 404
