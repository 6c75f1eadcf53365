"""The copy of the page in the documentation: it opens from the disk, and answers as a server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs.website import page_copy

Open = Callable[..., Any]


@pytest.fixture
def copy(tmp_path: Path) -> str:
    """Write the copy. Returns: its address on the disk."""
    for place, content in page_copy.files().items():
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return (tmp_path / page_copy.FOLDER / "index.html").as_uri()


def test_it_answers_every_example_from_the_disk(open_page: Open, copy: str) -> None:
    page = open_page(copy)
    page.locator("#examples button").first.wait_for()
    for example in page.locator("#examples button").all():
        example.click()
        page.locator(f"#request:has-text({json.dumps(example.inner_text())})").wait_for()
        page.locator("#bars").wait_for()
        page.locator(".tokens li").first.wait_for()
    assert not page.is_visible("#notice")


def test_it_says_that_it_has_no_server(open_page: Open, copy: str) -> None:
    page = open_page(copy)
    page.wait_for_selector("#facts dt")
    page.fill("#text", "a text of my own")
    page.wait_for_selector("#notice:has-text('no server behind it')")


def test_recorded_answers_are_those_of_the_server(url: str) -> None:
    asked = 0
    for key, recorded in page_copy.read_answers().items():
        path, body = key.split("\n", 1)
        if body:
            now = httpx.post(f"{url}/{path}", content=body, timeout=60).json()
            then = json.loads(recorded)
            if path == "page/pieces.json":
                assert now == then
                continue
            now, then = now["outputs"], then["outputs"]
            for name in ("label", "input_ids"):
                assert now.get(name) == then.get(name)
            assert set(now) == set(then)
            asked += 1
    assert asked >= 8
