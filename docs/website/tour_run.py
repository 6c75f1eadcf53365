"""Run the cells of docs/tour.ipynb in order, in IPython, and write the notebook with its outputs.

After a change of the cells, of the bundled model or of what tfclf shows:

    python -m docs.website.tour_run

IPython without a Jupyter kernel: cells run and show as they do in Jupyter, but need no ports of
their own and no second process. What differs from run to run is not stored.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from docs.website.tour_page import NOTEBOOK

# Of what an object shows of itself, keep what GitHub and the site show.
_KEPT = ("text/plain", "text/html", "image/png")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(notebook: Any) -> None:
    """Run each cell of code, and replace its outputs by the new ones.

    Args:
      notebook: of nbformat.
    Raises: RuntimeError, with the cell, if a cell fails or writes to standard error.
    """
    shell = _make_shell()
    notebook.metadata = _METADATA
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        cell.metadata = {}
        cell.execution_count = number
        cell.outputs = _run_cell(shell, cell.source, number)


def _make_shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    # Neither a history nor a profile in the home folder.
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="tfclf-ipython-")
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    return InteractiveShell.instance(config=config)


def _run_cell(shell: Any, source: str, number: int) -> list[Any]:
    from IPython.utils.capture import capture_output
    from nbformat.v4 import new_output

    # The trap first: the hook of the capture then stays in place while the cell runs.
    with shell.display_trap, capture_output() as captured:
        result = shell.run_cell(source, store_history=True)
    if not result.success or captured.stderr:
        raise RuntimeError(
            f"cell {number} of {NOTEBOOK.name}:\n{source}\n\n{captured.stdout}{captured.stderr}"
            f"{result.error_before_exec or result.error_in_exec or ''}"
        )
    outputs = []
    if captured.stdout:
        outputs.append(new_output("stream", name="stdout", text=captured.stdout))
    for shown in captured.outputs:
        data = {kind: shown.data[kind] for kind in _KEPT if kind in shown.data}
        metadata = {kind: shown.metadata[kind] for kind in data if kind in shown.metadata}
        outputs.append(
            new_output("execute_result", data, metadata=metadata, execution_count=number)
        )
    return outputs


def main(target: Path) -> None:
    """Run the notebook in its own folder, as Jupyter does, and write it to `target`."""
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    target = target.resolve()
    os.chdir(NOTEBOOK.parent)
    run(notebook)
    nbformat.write(notebook, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else NOTEBOOK)
