"""Make a Spark session on this machine, with a Java that is here."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from tfclf.spark.java import find_java
from tfclf.spark.pandas_warning import ignore_pandas_warning
from tfclf.spark.trimmed_java import complete_java


def start(
    *,
    master: str = "local[*]",
    memory: str = "2g",
    app_name: str = "tfclf",
    config: Mapping[str, Any] | None = None,
) -> Any:
    """Return the session of this process; make one if there is none.

    A managed cluster (Databricks, EMR, a Spark Connect server) has a session already: use that one.

    Args:
      master: where Spark runs; `local[*]` is this process with one task per core.
      memory: of the JVM. The Python workers, where TensorFlow runs, take their memory beside it.
      app_name: shown in Spark's web pages.
      config: more of Spark's settings, by name.
    Raises: TfclfError if there is no Java.
    """
    from pyspark.sql import SparkSession

    # Spark's launcher reads both from the environment. An executor's Python must be the driver's.
    os.environ["JAVA_HOME"] = str(complete_java(find_java()))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName(app_name)
    builder = builder.config("spark.driver.memory", memory)
    for name, value in (config or {}).items():
        builder = builder.config(name, value)
    with ignore_pandas_warning():
        return builder.getOrCreate()
