"""Links between files of the repository, turned into links between pages of the site.

Pages are also read in the repository, so their links are paths there: `../serving/README.md`.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from docs.website.fences import fences

# Files outside docs/ that are pages of the site.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "saved_models/distilbert_mini_sequence_classifier_ag_news/README.md": "bundled-model.md",
    "serving/README.md": "deployments.md",
}
# The site has the content of these on pages of its own.
_INSTEAD = {
    "README.md": "index.md",
    "README.md#speed": "speed.md",
    "docs/tour.ipynb": "tour.md",
}
_LINK = re.compile(r"(\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)")


@dataclass(frozen=True)
class Link:
    """A link from a page to a file of the repository, by the target's path there."""

    line: int
    target: str


def links(text: str, page: str) -> Iterator[Link]:
    """Yield the links of a page, at path `page`, to other files; blocks of code are skipped."""
    for number, line in _prose(text):
        for match in _LINK.finditer(line):
            if "://" not in match[2] and not match[2].startswith("mailto:"):
                yield Link(
                    number, posixpath.normpath(posixpath.join(posixpath.dirname(page), match[2]))
                )


def for_site(
    text: str, page: str, at: str, *, files: frozenset[str], titles: Mapping[str, str]
) -> str:
    """Return the page with its links rewritten for the site.

    Args:
      page: its path in the repository.
      at: its path on the site.
      files: files of the repository that the site copies to `files/`.
      titles: titles of the site's pages; they replace file names as link texts.
    """
    lines = text.split("\n")

    def moved(match: re.Match[str]) -> str:
        if "://" in match[2] or match[2].startswith("mailto:"):
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), match[2]))
        anchor = match[3] or ""
        there = _INSTEAD.get(target + anchor) if anchor else None
        if there is not None:
            anchor = ""
        else:
            there = on_site(target, files)
        if there is None:  # a folder: the site has none of it to show
            return match[1][1:-1]
        shown = match[1]
        if shown[1:-1].endswith(".md") and there in titles:
            shown = f"[{titles[there]}]"
        return f"{shown}({posixpath.relpath(there, posixpath.dirname(at) or '.')}{anchor})"

    for number, line in _prose(text):
        lines[number] = _LINK.sub(moved, line)
    return "\n".join(lines)


def on_site(target: str, files: frozenset[str]) -> str | None:
    """Return the site's place of a file of the repository; None if the site has no copy."""
    if target in PAGES or target in _INSTEAD:
        return PAGES.get(target) or _INSTEAD[target]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"files/{target}" if target in files else None


def _prose(text: str) -> Iterator[tuple[int, str]]:
    code = {number for fence in fences(text) for number in range(fence.first, fence.last + 1)}
    return ((number, line) for number, line in enumerate(text.split("\n")) if number not in code)
