"""The hooks that MkDocs calls while it builds the site (mkdocs.yml, `hooks`)."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
# MkDocs runs this file alone: it would find neither this package nor an uninstalled tfclf.
sys.path.insert(0, str(ROOT))

from docs.website import card_pages, fences, links, page_copy, reference, tour_page  # noqa: E402
from tfclf.catalog.cards import Card, cards  # noqa: E402

_SPEED = re.compile(r"<!-- (bench|peers): start -->\n(.*?)<!-- \1: end -->", re.DOTALL)
# What docs/speed.md says where the site shows the tables.
_TABLES = "The tables are in [the README](../README.md#speed).\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put each card below the page of all cards."""
    config.nav = _with_cards(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files of the repository that pages link to."""
    made = {**card_pages.pages(), **reference.pages(), **tour_page.pages()}
    copies = {site: (ROOT / page).read_text(encoding="utf-8") for page, site in links.PAGES.items()}
    for site, content in {**made, **copies, **page_copy.files()}.items():
        files.append(File.generated(config, site, content=content))
    for path in sorted(linked_files()):
        files.append(File.generated(config, f"files/{path}", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Rewrite blocks of code and links for the site."""
    site = page.file.src_uri
    if site == "speed.md":
        markdown = speed(markdown)
    titles = dict(_titles(config.nav or []))
    return fences.for_site(
        links.for_site(markdown, in_repository(site), site, files=linked_files(), titles=titles)
    )


def _with_cards(entry: Any) -> Any:
    """Add the cards to a part of the navigation: a page, a title with a page, or with parts."""
    if isinstance(entry, dict):
        return {title: _with_cards(inner) for title, inner in entry.items()}
    if isinstance(entry, list):
        return [_with_cards(inner) for inner in entry]
    if entry == f"{card_pages.FOLDER}/index.md":
        return [entry, *({_short(card): card_pages.address(card)} for card in cards())]
    return entry


def _titles(entries: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield the address and title of every page in the navigation."""
    for entry in entries:
        for title, inside in entry.items() if isinstance(entry, dict) else ():
            if isinstance(inside, list):
                yield from _titles(inside)
            else:
                yield inside, title


def _short(card: Card) -> str:
    return card.title.replace(" Sequence Classification", "")


def in_repository(site: str) -> str:
    """Return the path of a page in the repository; for a generated page, the path it would have."""
    return {there: here for here, there in links.PAGES.items()}.get(site, f"docs/{site}")


def linked_files() -> frozenset[str]:
    """Return the files outside docs/, other than pages, that pages link to."""
    pages = [
        *(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")),
        *links.PAGES,
    ]
    found = {
        link.target
        for page in pages
        for link in links.links((ROOT / page).read_text(encoding="utf-8"), page)
    }
    return frozenset(
        path
        for path in found
        if not path.startswith("docs/") and not path.endswith(".md") and (ROOT / path).is_file()
    )


def speed(page: str) -> str:
    """Put README.md's speed tables into docs/speed.md."""
    tables = _SPEED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [name for name, _ in tables] == ["bench", "peers"], (
        "README.md lacks markers of its tables"
    )
    assert _TABLES in page, f"docs/speed.md lacks the line {_TABLES}"
    return page.replace(_TABLES, "\n".join(table for _, table in tables))
