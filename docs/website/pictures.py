"""Make the pictures of the report and of a terminal in docs/assets; `make pictures` runs it.

The report needs Chromium and the official test split of AG News. docs/website/page_copy.py makes
the picture of the page.
"""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "docs" / "assets"
MODEL = "saved_models/distilbert_mini_sequence_classifier_ag_news"

_SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))
_ROWS = _SHARED / "data" / "ag_news" / "test.csv"
_COLUMNS = 106
_COLOURS = 128
_REPORT_WIDTH = 760
_REPORT_SECTIONS = ("classes", "confusion")
_COMMANDS = (
    (
        "predict",
        MODEL,
        "Ceasefire talks resume after a night of shelling",
        "Shares jump after strong quarterly earnings",
        "Chip maker opens a lab for quantum computers",
    ),
    ("explain", MODEL, "Club sells its stadium to pay its debts"),
)
# Rich's picture loads a font from the network; the reader's own will do.
_FONT_FACE = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)


def draw_terminal(commands: Sequence[Sequence[str]]) -> str:
    """Run `tfclf` with each list of arguments on a terminal. Returns: what it shows, as SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False
    )
    for number, arguments in enumerate(commands):
        if number:
            console.print()
        console.print(Text(f"$ {_quote(arguments)}", style="bold"))
        console.print(Text.from_ansi(_run_on_terminal(arguments).rstrip()))
    picture = console.export_svg(title="tfclf", unique_id="terminal")
    return _FONT_FACE.sub("", picture).replace("Fira Code, ", "")


def _quote(arguments: Sequence[str]) -> str:
    """Return the command line; each text has a line of its own."""
    texts = " \\\n    ".join(f'"{one}"' for one in arguments[2:])
    return f"tfclf {arguments[0]} {arguments[1]} \\\n    {texts}"


def _run_on_terminal(arguments: Sequence[str]) -> str:
    """Run `tfclf` on a pseudo-terminal, which it gives colours to. Returns: its output."""
    settings = {"COLUMNS": str(_COLUMNS), "TERM": "xterm-256color", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tfclf", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        printed = bytearray()
        with contextlib.suppress(OSError):  # Linux ends a terminal without processes with EIO
            while part := os.read(ours, 65536):
                printed += part
    os.close(ours)
    text = printed.decode().replace("\r\n", "\n")
    if process.returncode:
        raise RuntimeError(f"{_quote(arguments)} ended with {process.returncode}:\n{text}")
    return text


def draw_report(path: Path) -> None:
    """Evaluate the bundled model, and write two sections of its report as PNG."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        subprocess.run(
            [sys.executable, "-m", "tfclf", "evaluate", MODEL, str(_ROWS), "-o", str(report)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        _photograph(report / "report.html", path)


def _photograph(html: Path, path: Path) -> None:
    """Write the sections from the first to the last of these as PNG."""
    from playwright.sync_api import sync_playwright

    from tests.server.page.conftest import CHROMIUM, FLAGS

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        page: Any = browser.new_page(viewport={"width": _REPORT_WIDTH, "height": 900})
        page.goto(html.as_uri())
        first, last = (
            page.locator(f'section[aria-labelledby="{name}"]').bounding_box()
            for name in _REPORT_SECTIONS
        )
        bottom = last["y"] + last["height"]
        clip = {"x": 0, "y": first["y"], "width": _REPORT_WIDTH, "height": bottom - first["y"]}
        page.screenshot(path=path, full_page=True, clip=clip)
    shrink(path)


def shrink(path: Path) -> None:
    """Write a PNG again with a palette: a picture of a page has few colours."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main() -> None:
    """Make both pictures."""
    if not _ROWS.is_file():
        raise SystemExit(
            f"{_ROWS} does not exist. Set TFCLF_SHARED to the folder that has "
            f"data/ag_news/test.csv, the official test split of AG News."
        )
    (ASSETS / "terminal.svg").write_text(draw_terminal(_COMMANDS), encoding="utf-8")
    draw_report(ASSETS / "report.png")


if __name__ == "__main__":
    main()
