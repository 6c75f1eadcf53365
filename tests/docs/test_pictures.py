"""Pictures of the pages: small, used, and without anything from elsewhere."""

import re
from pathlib import Path

import pytest

from docs.website import links, pictures
from samples.checkpoints import ROOT

PICTURES = sorted(
    path for path in (ROOT / "docs" / "assets").iterdir() if path.suffix in (".png", ".svg")
)
_PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
_LARGEST = 150_000  # bytes


def _name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", PICTURES, ids=_name)
def test_a_picture_is_small(path: Path) -> None:
    assert path.stat().st_size < _LARGEST


@pytest.mark.parametrize("path", PICTURES, ids=_name)
def test_a_picture_is_on_a_page(path: Path) -> None:
    shown = {
        link.target
        for page in _PAGES
        for link in links.links(page.read_text("utf-8"), page.relative_to(ROOT).as_posix())
    }
    assert path.relative_to(ROOT).as_posix() in shown


def test_every_picture_of_a_page_has_a_text_for_those_who_cannot_see_it() -> None:
    assert [page.name for page in _PAGES if "![](" in page.read_text("utf-8")] == []


def test_the_terminal_loads_no_font() -> None:
    picture = (pictures.ASSETS / "terminal.svg").read_text("utf-8")
    assert re.findall(r"@font-face|url\(http|href=\"http", picture) == []


def test_the_terminal_shows_colours() -> None:
    assert "font-weight: bold" in pictures.draw_terminal([("cards", "--help")])


def test_a_command_that_fails_gives_no_picture() -> None:
    with pytest.raises(RuntimeError, match="ended with 2"):
        pictures.draw_terminal([("cards", "--no-such-option")])
