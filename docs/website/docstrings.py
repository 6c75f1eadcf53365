"""Docstrings as Markdown for mkdocstrings: an extension of Griffe, which reads the sources.

Griffe's own styles expect a separate line after `Returns:` and one entry per exception; ours are
sentences.
"""

import re
from collections.abc import Iterator
from typing import Any

import griffe

_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Source):[ ]?(.*)$")
_ENTRY = re.compile(r"^  (\*{0,2}[a-z_]\w*(?:, \*{0,2}[a-z_]\w*)*): (.*)$")


class Docstrings(griffe.Extension):
    """An extension that replaces each docstring by Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Convert the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    """Return a docstring as Markdown: sections in bold, arguments as a list, examples as code."""
    lines: list[str] = []
    for line in _with_examples(docstring.splitlines()):
        section, entry = _SECTION.match(line), _ENTRY.match(line)
        if section:
            lines += ["", f"**{section[1]}:** {section[2]}".rstrip(), *([] if section[2] else [""])]
        elif entry:
            names = ", ".join(f"`{name}`" for name in entry[1].split(", "))
            lines.append(f"- {names}: {entry[2]}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _with_examples(lines: list[str]) -> Iterator[str]:
    """Yield the lines; those from `>>>` to the next empty line become a block of code."""
    inside = False
    for line in lines:
        if line.startswith(">>> ") and not inside:
            inside = True
            yield from ("", "```pycon")
        elif inside and not line.strip():
            inside = False
            yield "```"
        yield line
    if inside:
        yield "```"
