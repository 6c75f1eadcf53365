"""The page's files and facts over HTTP, without a browser."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from tfclf.cli.page_examples import find_page_examples
from tfclf.sample_texts import REVIEWS
from tfclf.server import serve
from tfclf.server.page.options import Page

FILES = sorted(each.name for each in (files("tfclf.server.page") / "files").iterdir())

Models = dict[str, list[dict[str, Any]]]
PATHS = [f"/page/{name}" for name in FILES if not name.endswith(".html")]


@pytest.fixture
def models(url: str) -> Models:
    """Return the versions by model."""
    facts = httpx.get(f"{url}/page/models.json").json()
    return {model["name"]: model["versions"] for model in facts["models"]}


@pytest.fixture
def plain_url(half_plus_two_base: Path) -> Iterator[str]:
    """A server without the page, as `python -m tfclf.server` and `--no-ui` start it."""
    with serve(half_plus_two_base, port=0, rest_port=0) as server:
        assert server.rest_url
        yield server.rest_url


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/page/models.json"])
def test_without_the_page_its_paths_are_not_found(plain_url: str, path: str) -> None:
    assert httpx.get(plain_url + path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/docs", "/page/models.json", *PATHS])
def test_every_answer_has_a_strict_policy(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    policy = answer.headers["content-security-policy"].split("; ")
    assert answer.status_code == 200
    assert policy[0] == "default-src 'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] in ("no-cache", "no-store")


def test_a_file_that_the_browser_has_is_not_sent_again(url: str) -> None:
    first = httpx.get(url)
    again = httpx.get(url, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/page/", "/page/../models.py", "/page/%2e%2e/routes.py", "/page/none.js", "/index.html"],
)
def test_other_paths_are_not_found(url: str, path: str) -> None:
    assert httpx.get(url + path).status_code == 404


def test_nothing_is_inline_or_from_another_host() -> None:
    folder = files("tfclf.server.page") / "files"
    html = (folder / "index.html").read_text()
    assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son\w+=", html)
    for name in FILES:
        text = (folder / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://\w", text)
        assert not re.search(r"innerHTML|insertAdjacentHTML|\beval\(|Storage", text)


def test_models_are_listed_with_their_versions_the_largest_first(models: Models) -> None:
    assert [version["version"] for version in models["reasons"]] == [2, 1]


def test_an_export_shows_its_manifest_without_its_source(models: Models) -> None:
    manifest = models["news"][0]["manifest"]
    assert manifest["labels"] == ["World", "Sports", "Business", "Sci/Tech"]
    assert manifest["certificate"]["equal"] is True
    assert "source" not in manifest


def test_a_foreign_model_has_signatures_and_no_manifest(models: Models) -> None:
    (version,) = models["numbers"]
    assert version["manifest"] is None
    assert version["signatures"]["serving_default"]["inputs"] == {"x": "float"}


def test_a_model_of_inference_gets_pairs_as_examples(models: Models) -> None:
    assert all("text_pair" in example for example in models["inference"][0]["examples"])


def test_pieces_are_said_to_be_there_only_if_they_are(models: Models) -> None:
    assert [models[name][0]["pieces"] for name in ("news", "older")] == [True, False]


def ask_pieces(url: str, content: object) -> httpx.Response:
    return httpx.post(f"{url}/page/pieces.json", content=json.dumps(content))


def test_ids_are_named_by_their_pieces(url: str) -> None:
    answer = ask_pieces(url, {"model": "inference", "version": 1, "ids": [97, 1, 0, 5000]})
    assert answer.json() == {"pieces": ["##a", "[CLS]", None, None]}
    assert answer.headers["cache-control"] == "no-store"


def test_an_export_without_pieces_says_what_to_do(url: str) -> None:
    answer = ask_pieces(url, {"model": "reasons", "version": 1, "ids": [1]})
    assert answer.status_code == 404
    assert "Export the model again" in answer.json()["error"]


@pytest.mark.parametrize("version", [9, (1 << 63) - 1])
def test_pieces_of_an_unknown_version_are_not_found(url: str, version: int) -> None:
    answer = ask_pieces(url, {"model": "inference", "version": version, "ids": [1]})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"model": "inference", "version": 1},
        {"model": "inference", "version": 1 << 63, "ids": []},
        {"model": "inference", "version": True, "ids": []},
        {"model": "inference", "version": 1, "ids": [-1]},
        {"model": "inference", "version": 1, "ids": ["1"]},
        {"model": 1, "version": 1, "ids": [1]},
        {"model": "", "version": 1, "ids": [1]},
        {"model": "\ud800", "version": 1, "ids": [1]},
    ],
)
def test_a_request_for_pieces_that_makes_no_sense_is_refused(url: str, content: object) -> None:
    assert ask_pieces(url, content).status_code == 400


def test_a_body_that_is_no_json_is_refused(url: str) -> None:
    assert httpx.post(f"{url}/page/pieces.json", content=b"[" * 100_000).status_code == 400


def test_a_body_that_is_too_long_is_refused(url: str) -> None:
    answer = httpx.post(f"{url}/page/pieces.json", content=b" " * ((1 << 20) + 1))
    assert answer.status_code == 413


def test_a_card_gets_examples_in_its_language() -> None:
    texts = [
        each["text"]
        for each in find_page_examples("xlm_roberta_base_sequence_classifier_allocine", None)
    ]
    assert texts[:4] == list(REVIEWS["fr"])


def test_a_page_without_a_finder_has_no_examples() -> None:
    assert Page().find_examples("news", None) == ()
