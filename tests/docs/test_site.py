"""The site of the documentation: it builds without a warning, and asks nothing of a network."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.website import card_pages, docstrings, fences, links, reference
from samples.checkpoints import ROOT
from tfclf.catalog.cards import cards

# What a page loads by itself, unlike the links in it.
_LOADED = re.compile(
    r"<(?:script|link|img|iframe|source)[^>]*\b(?:src|href)=\"?((?:https?:)?//[^\s\">]+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_on_the_site(site: Path) -> None:
    written = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    pages = {*written, *links.PAGES.values(), *card_pages.pages(), *reference.pages()}
    assert sorted(page for page in pages if not (site / page).with_suffix(".html").is_file()) == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    found = {
        path.name: _LOADED.findall(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_the_search_finds_cards_by_their_reference(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    text = {entry["location"].partition("#")[0]: "" for entry in index["docs"]}
    for entry in index["docs"]:
        text[entry["location"].partition("#")[0]] += entry["text"]
    for card in cards():
        assert card.nlu_references[0] in text[card_pages.address(card).replace(".md", ".html")]


def test_a_file_that_a_page_links_to_comes_along(site: Path) -> None:
    assert (site / "files" / "serving" / "config" / "models.config").is_file()


def test_a_reason_not_to_run_a_block_is_shown(site: Path) -> None:
    page = (site / "deploying.html").read_text(encoding="utf-8")
    assert ">Needs docker, or the program tensorflow_model_server<" in page


def test_public_names_are_in_the_reference(site: Path) -> None:
    import tfclf

    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in tfclf.__all__ if f'id="tfclf.{name}"' not in page] == ["TfclfError"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```python\nprint()\n", "never closed"),
        ("```\nprint()\n```\n", "a block of ''"),
        ("```ruby\nputs\n```\n", "a block of 'ruby'"),
        ("```sh sometimes\nls\n```\n", "a block of 'sh sometimes'"),
    ],
)
def test_a_block_that_nobody_would_run_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        fences.fences(text)


def test_a_block_in_a_tab_is_read_without_its_indentation() -> None:
    (program, output) = fences.fences(
        '=== "tfclf"\n\n    ```python\n    print(1)\n    ```\n\n    ```text\n    1\n    ```\n'
    )
    assert (program.code, program.output, output.is_output) == ("print(1)\n", "1\n", True)


def test_a_docstring_becomes_markdown() -> None:
    text = (
        "Adds.\n\n>>> add(1)\n2\n\n"
        "Args:\n  one, other: numbers;\n    whole ones.\nReturns: their\n  sum.\n"
    )
    assert docstrings.markdown(text).split("\n") == [
        "Adds.",
        "",
        "",
        "```pycon",
        ">>> add(1)",
        "2",
        "```",
        "",
        "",
        "**Args:**",
        "",
        "- `one`, `other`: numbers;",
        "    whole ones.",
        "",
        "**Returns:** their",
        "  sum.",
    ]


def test_the_table_of_cards_rounds_the_accuracy_and_keeps_references_whole() -> None:
    table = card_pages.overview()
    assert "| 0.9472 |" in table
    assert "<br>`en.classify.albert.ag_news` |" in table


def test_no_two_pages_of_the_navigation_begin_alike() -> None:
    names = re.findall(
        r"^ +- ([^:]+): [a-z/-]+\.md$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE
    )
    assert [
        name for name in names if any(other.startswith(name) for other in names if other != name)
    ] == []


def test_a_long_signature_is_wrapped(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    (signature,) = re.findall(r'id="tfclf\.evaluate".*?doc-signature.*?</pre>', page, re.DOTALL)
    assert signature.count("\n") > 5
