"""/openapi.json: a valid document, and a server that answers as it states."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.scorers import save_native_scorer
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve

validator = pytest.importorskip("openapi_spec_validator")
jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def rest(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def api(rest: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = rest.get("/openapi.json").json()
    return document


def _operations(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Iterate over method, path with its parameters filled in, and operation."""
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", []):
                path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
            yield method, path, operation


def _bodies(operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return [example["value"] for example in content.get("examples", {}).values()]


def _check(value: Any, schema: dict[str, Any], api: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": api["components"]}).validate(value)


def test_the_document_is_valid(api: dict[str, Any]) -> None:
    validator.validate(api)


def test_every_served_model_is_in_it(api: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in api["tags"]}
    assert {"news", "moods", "value", "numbers"} <= tags
    assert "/v1/models/news:predict" in api["paths"]
    assert "/v1/models/news/versions/{version}:classify" in api["paths"]
    assert "/v1/models/value:classify" not in api["paths"]


# Their first calls on the bundled model take seconds each; small models have most of them, too.
_DEAR = {"serving_xla", "detail_xla", "explain", "explain_pairs", "explain_windows"}


@pytest.mark.parametrize(
    "skipped",
    [
        pytest.param(_DEAR, id="without dear ones"),
        pytest.param(set(), id="all", marks=pytest.mark.verify),
    ],
)
def test_every_operation_and_example_answers_as_stated(
    rest: httpx.Client, api: dict[str, Any], skipped: set[str]
) -> None:
    asked = 0
    for method, path, operation in _operations(api):
        for body in _bodies(operation) if method == "post" else [None]:
            if "/news" in path and body and body.get("signature_name") in skipped:
                continue
            answer = rest.request(method, path, json=body)
            assert answer.status_code == 200, (path, body, answer.text)
            stated = operation["responses"]["200"]["content"]["application/json"]["schema"]
            _check(answer.json(), stated, api)
            asked += 1
    assert asked > 30


def test_every_example_fits_its_own_schema(api: dict[str, Any]) -> None:
    for _, _, operation in _operations(api):
        for body in _bodies(operation):
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            _check(body, schema, api)


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/models/none:predict", "404"), ("/v1/models/news:predict", "400")]
)
def test_an_error_is_as_stated(
    rest: httpx.Client, api: dict[str, Any], path: str, status: str
) -> None:
    answer = rest.post(path, json={})
    assert str(answer.status_code) == status
    assert status in api["paths"]["/v1/models/news:predict"]["post"]["responses"]
    _check(answer.json(), {"$ref": "#/components/schemas/Error"}, api)


def test_the_examples_are_those_of_the_page(api: dict[str, Any]) -> None:
    body = api["paths"]["/v1/models/news:predict"]["post"]["requestBody"]
    rows = body["content"]["application/json"]["examples"]["rows"]["value"]["instances"]
    assert rows == [HEADLINES[0]]


def test_without_the_page_there_is_the_document_but_no_docs(tmp_path: Path) -> None:
    save_native_scorer(tmp_path / "a scorer?" / "1")
    with serve(tmp_path / "a scorer?", port=0, rest_port=0) as server:
        document = httpx.get(f"{server.rest_url}/openapi.json").json()
        assert httpx.get(f"{server.rest_url}/docs").status_code == 404
    validator.validate(document)
    assert "/v1/models/a%20scorer%3F:predict" in document["paths"]


def test_docs_show_and_send_an_example(open_page: Any, url: str) -> None:
    page = open_page(f"{url}/docs")
    operation = page.locator("details", has_text="POST /v1/models/news:predict")
    operation.locator("summary").click()
    operation.get_by_role("button", name="Send").click()
    answer = operation.locator("pre:has-text('200 OK')")
    assert '"label": "Business"' in answer.inner_text()


def test_docs_fit_a_phone(open_page: Any, url: str) -> None:
    page = open_page(f"{url}/docs", viewport={"width": 320, "height": 700})
    page.locator("summary >> nth=3").click()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 320
