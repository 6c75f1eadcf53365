"""docs/tour.ipynb runs as it stands, and its stored outputs are those of today's code."""

import os
import re
import subprocess
from itertools import zip_longest
from typing import Any

import nbformat
import pytest

from docs.website import links, tour_page
from samples.checkpoints import ROOT
from tests.forks import Forks

_LARGEST = 300_000  # bytes
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_MACHINE = re.compile(r"/home/|/root/|/tmp/|/work/|127\.0\.0\.1|localhost:\d|0x[0-9a-f]{6}")
_STORED = nbformat.read(tour_page.NOTEBOOK, as_version=4)
_CELLS = [cell for cell in _STORED.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run the notebook without a cache of models, and without the server's warm-up."""
    folder = tmp_path_factory.mktemp("tour")
    before = ("-m", "tests.docs.server")
    python = Forks.shared().command("python", *before, folder="of the tour")
    done = subprocess.run(
        [python, "-m", "docs.website.tour_run", str(folder / "tour.ipynb")],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TFCLF_CACHE": str(folder),
            "TMPDIR": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return nbformat.read(folder / "tour.ipynb", as_version=4)


def test_every_cell_shows_what_is_stored(again: Any) -> None:
    for stored, made in zip(_STORED.cells, again.cells, strict=True):
        for shown, now in zip_longest(_shown(stored), _shown(made)):
            assert _NUMBER.split(now or "") == _NUMBER.split(shown or ""), stored.source
            numbers = [float(number) for number in _NUMBER.findall(shown)]
            assert [float(number) for number in _NUMBER.findall(now)] == pytest.approx(
                numbers, rel=0.02, abs=0.02
            ), stored.source


def test_the_plot_is_drawn_again(again: Any) -> None:
    kinds = [
        kind for cell in again.cells for output in cell.get("outputs", ()) for kind in _data(output)
    ]
    assert kinds.count("image/png") == 1


def test_an_explanation_shows_as_html() -> None:
    (cell,) = (cell for cell in _CELLS if "clf.explain(" in cell.source)
    assert "background:rgba" in _data(cell.outputs[0])["text/html"]


def test_the_notebook_is_valid() -> None:
    nbformat.validate(_STORED)


def test_the_notebook_is_small() -> None:
    assert tour_page.NOTEBOOK.stat().st_size < _LARGEST


def test_the_notebook_has_at_most_twelve_cells_of_code() -> None:
    assert len(_CELLS) <= 12


def test_the_notebook_names_no_path_port_or_address_of_a_machine() -> None:
    shown = [text for cell in _CELLS for text in _shown(cell)]
    assert [text for text in shown if _MACHINE.search(text)] == []


def test_the_notebook_holds_no_metadata_that_differs_from_run_to_run() -> None:
    assert [cell.metadata for cell in _STORED.cells if cell.metadata] == []


@pytest.mark.parametrize("start", [".", "docs"])
def test_the_notebook_finds_the_model_from(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / start)
    finding = _CELLS[0].source.partition("clf =")[0]
    names: dict[str, Any] = {}
    exec(finding, names)
    assert (names["model"] / "1" / "saved_model.pb").is_file()


def test_links_of_the_notebook_lead_somewhere() -> None:
    text = "\n\n".join(cell.source for cell in _STORED.cells if cell.cell_type == "markdown")
    targets = [link.target for link in links.links(text, "docs/tour.ipynb")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_page_of_the_site_has_every_cell_with_its_output() -> None:
    page = tour_page.pages()[tour_page.PAGE]
    for cell in _STORED.cells:
        assert cell.source in page
        for output in cell.get("outputs", ()):
            data = _data(output)
            part = data.get("image/png") or data.get("text/html") or data["text/plain"]
            assert part.strip().splitlines()[-1] in page


def _shown(cell: Any) -> list[str]:
    """Return the texts that a cell shows, without pictures, whose bytes depend on fonts."""
    return [
        text
        for output in cell.get("outputs", ())
        for kind, text in _data(output).items()
        if kind != "image/png"
    ]


def _data(output: Any) -> dict[str, str]:
    return {"text/plain": output.text} if output.output_type == "stream" else output.data
