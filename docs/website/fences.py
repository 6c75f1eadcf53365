"""The grammar of code blocks in Markdown pages, for the site and for the tests that run them.

The first line of a block says what happens to it:

    ```python              runs; a ```text block right below is what it prints
    ```sh                  runs in bash, in the same way
    ```console             each line after `$ ` runs and prints the lines below it
    ```sh server           starts a server until the session ends; a ```text block: its last line
    ```sh no-run: REASON   the tests do not run it; the site shows the reason above the block
    ```json, toml, yaml    is parsed
    ```text, ```promql     is shown
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

PROGRAMS = ("python", "sh", "console")
DATA = ("json", "toml", "yaml")
SHOWN = ("text", "promql")
NO_RUN = "no-run"
SERVER = "server"

_OPENING = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")


@dataclass(frozen=True)
class Fence:
    """One block; its code has no indentation from the list or tab around it.

    Attributes:
      first, last: line numbers from 0, fences included.
      mark: "server", "no-run" or nothing.
      output: the expected output; None if the page does not show any.
    """

    first: int
    last: int
    indent: int
    language: str
    mark: str
    reason: str
    code: str
    output: str | None = None
    is_output: bool = False


def fences(text: str) -> list[Fence]:
    """Return the blocks of a page in order.

    Raises: ValueError, with the line number, for a block without a language.
    """
    found: list[Fence] = []
    lines = text.split("\n")
    for fence in _read(lines):
        before = found[-1] if found else None
        between = lines[before.last + 1 : fence.first] if before else []
        is_output = (
            before is not None
            and fence.language == "text"
            and before.language in PROGRAMS
            and before.indent == fence.indent
            and not any(line.strip() for line in between)
        )
        if before is not None and is_output:
            found[-1] = replace(before, output=fence.code)
        found.append(replace(fence, is_output=is_output))
    return found


def for_site(text: str) -> str:
    """Return the page with fences for Material: each block's kind becomes the title above it."""
    lines = text.split("\n")
    for fence in fences(text):
        title = _title(fence)
        shown = f' title="{title}"' if title else ""
        ticks = lines[fence.last].strip()
        lines[fence.first] = f"{' ' * fence.indent}{ticks}{fence.language}{shown}"
    return "\n".join(lines)


def _title(fence: Fence) -> str:
    if fence.mark == NO_RUN:
        # For readers: what they need, or what the block stands for.
        return (fence.reason[:1].upper() + fence.reason[1:]).replace('"', "&quot;")
    if fence.mark == SERVER:
        return "In a terminal of its own"
    return "Output" if fence.is_output else ""


def _read(lines: list[str]) -> Iterator[Fence]:
    number = 0
    while number < len(lines):
        opening = _OPENING.match(lines[number])
        if opening is None:
            number += 1
            continue
        indent, ticks = len(opening["indent"]), opening["ticks"]
        last = next(
            (at for at in range(number + 1, len(lines)) if lines[at] == " " * indent + ticks), None
        )
        if last is None:
            raise ValueError(f"line {number + 1}: a block that is never closed")
        language, _, rest = opening["info"].partition(" ")
        mark, _, reason = (part.strip() for part in rest.partition(":"))
        if language not in (*PROGRAMS, *DATA, *SHOWN) or mark not in ("", SERVER, NO_RUN):
            raise ValueError(
                f"line {number + 1}: a block of {opening['info']!r}, "
                f"which docs/website/fences.py does not know"
            )
        code = "".join(f"{line[indent:]}\n" for line in lines[number + 1 : last])
        yield Fence(number, last, indent, language, mark, reason, code)
        number = last + 1
