"""A server of models of every kind, and one browser, for all tests of the folder."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.own_process import DEMO
from tests.server.page.models import PIECES, save_guess, save_numbers
from tfclf.cli.page_examples import find_page_examples
from tfclf.problem_types import MULTI_LABEL, REGRESSION
from tfclf.server import serve
from tfclf.server.page.options import Page
from tfclf.server.process import Server

LABELS = tuple(f"topic{number:03}" for number in range(1, 201))
_CONFIG = 'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" {more} }}\n'
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
_ALL = "model_version_policy { all {} }"


def save_models(folder: Path) -> Path:
    """Save the models into a folder. Returns: a models.config."""
    save_guess(folder / "moods" / "1", ["joy", "fear", "الفرح"], problem_type=MULTI_LABEL)
    save_guess(folder / "topics" / "1", LABELS)
    save_guess(folder / "value" / "1", ["similarity"], problem_type=REGRESSION)
    for version in ("1", "2"):
        save_guess(folder / "reasons" / version, ["good", "bad"], signatures=("detail", "explain"))
    save_guess(
        folder / "inference" / "1",
        ["entailment", "contradiction"],
        signatures=("detail", "detail_pairs", "explain", "explain_pairs", "tokenize"),
        pieces=PIECES,
    )
    save_numbers(folder / "numbers" / "1")
    # As exports were before they named the pieces of their ids.
    no_pieces = shutil.ignore_patterns("pieces.json")
    shutil.copytree(DEMO / "1", folder / "older" / "1", ignore=no_pieces)
    models = {"news": DEMO, **{path.name: path for path in sorted(folder.iterdir())}}
    entries = [
        _CONFIG.format(name=name, path=path, more=_ALL if name == "reasons" else "")
        for name, path in models.items()
    ]
    config = folder / "models.config"
    config.write_text(f"model_config_list {{ {''.join(entries)} }}")
    return config


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = save_models(tmp_path_factory.mktemp("page"))
    with serve(config, port=0, rest_port=0, page=Page(find_page_examples)) as server:
        yield server


@pytest.fixture(scope="package")
def url(server: Server) -> str:
    assert server.rest_url
    return server.rest_url


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Return Debian's Chromium under Playwright; skip without them."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with (
        api.sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True) as browser,
    ):
        yield browser


@pytest.fixture
def errors() -> list[str]:
    """Return the list that gets the errors of a page's scripts; it is empty at the end."""
    return []


@pytest.fixture
def open_page(browser: Any, errors: list[str]) -> Iterator[Callable[..., Any]]:
    """Return open_page(url, **options of the browser's context), which closes what it opens."""
    contexts = []

    def open_it(url: str, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.extend(_find_refusals(message.text)))
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors


def _find_refusals(text: str) -> list[str]:
    """Return what the browser says when the page breaks its own policy."""
    return [text] if "Content Security Policy" in text else []
