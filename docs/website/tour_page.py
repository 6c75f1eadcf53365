"""docs/tour.ipynb, with its stored outputs, as a page of the site."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[1] / "tour.ipynb"
PAGE = "tour.md"

_NOTE = (
    "The notebook itself is `docs/tour.ipynb` in the repository: open it in Jupyter to change and "
    "run it.\n"
)
# pandas' own style of a table; the site has one for all.
_STYLE = re.compile(
    r'<style scoped>.*?</style>\n?|(?<=<table) border="1" class="dataframe"', re.DOTALL
)


def markdown(notebook: Mapping[str, Any]) -> str:
    r"""Return a notebook as Markdown with fences of docs/website/fences.py.

    >>> output = {"output_type": "stream", "text": ["1\n"]}
    >>> cells = [{"cell_type": "markdown", "source": ["# One"]},
    ...          {"cell_type": "code", "source": ["print(1)"], "outputs": [output]}]
    >>> print(markdown({"cells": cells}))
    # One
    <BLANKLINE>
    ```python
    print(1)
    ```
    <BLANKLINE>
    ```text
    1
    ```
    <BLANKLINE>
    """
    return "\n\n".join(part for cell in notebook["cells"] for part in _cell(cell)) + "\n"


def pages() -> dict[str, str]:
    """Return the page, by its place on the site."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return {PAGE: f"{markdown(notebook)}\n{_NOTE}"}


def _cell(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield _fence("python", source)
    for output in cell["outputs"]:
        yield _output(output)


def _output(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _fence("text", "".join(output["text"]))
    data = {kind: "".join(value) for kind, value in output["data"].items()}
    if "image/png" in data:
        width = output["metadata"].get("image/png", {}).get("width", "")
        content = data["image/png"].replace("\n", "")
        return f'<p><img src="data:image/png;base64,{content}" width="{width}" alt="Plot"></p>'
    if "text/html" in data:
        return f"<div>\n{_STYLE.sub('', data['text/html'])}\n</div>"
    return _fence("text", data["text/plain"])


def _fence(language: str, content: str) -> str:
    return f"```{language}\n{content.rstrip()}\n```"
