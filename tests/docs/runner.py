"""A Python that runs the pages' programs, one after the other, and loads each export only once.

Loading an export takes longer than anything else that the pages do. Each program has a module
`__main__`, arguments, folder, environment and standard streams of its own; see tests/forks.py.
"""

import contextlib
import os
import sys
from pathlib import Path

from tests import forks
from tfclf import Classifier, loader

_loaded: dict[object, Classifier] = {}
_load_export = loader.load_export


def _load_once(version: Path, *, xla: bool | None = None) -> Classifier:
    written = (version / "saved_model.pb").stat().st_mtime_ns
    key = version.resolve(), written, xla
    if key not in _loaded:
        _loaded[key] = _load_export(version, xla=xla)
    return _loaded[key]


def _main(address: str) -> None:
    loader.load_export = _load_once
    listening = forks.listen(address)
    nothing = os.open(os.devnull, os.O_RDWR)
    while True:
        connection, _ = listening.accept()
        with connection:
            wanted, streams = forks.receive(connection)
            forks.send(connection, 0)  # no process of its own
            forks.enter(wanted, streams)
            code = forks.run(wanted["arguments"])
            # A pipe without a reader, or closed by the program.
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            for number in range(3):  # the other ends of pipes wait for that
                os.dup2(nothing, number)
            forks.send(connection, code)


if __name__ == "__main__":
    _main(sys.argv[1])
