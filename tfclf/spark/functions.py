"""Make a Spark function of a task: the code that an executor unpickles without tfclf."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from tfclf.spark.pandas_warning import ignore_pandas_warning
from tfclf.spark.worker import Task, driver_versions

_POOL = "TFCLF_WORKERS"


def make_function(
    task: Task, returns: Any, *, name: str, expensive: bool = False
) -> Callable[..., Any]:
    """Make the function from a column to a column that runs a task on the executors.

    It is an iterator `arrow_udf`: only the columns that it reads travel to Python, where
    `mapInArrow` moves whole rows; and its result is built as Arrow, where a `pandas_udf` makes a
    DataFrame of each struct and of each map.

    Args:
      task: gets an iterator of Arrow arrays.
      returns: the Spark type of the result.
      name: shown in Spark's plans.
      expensive: whether it runs a model. Spark must not run it twice then: it otherwise copies the
        function into each filter on its result. And it gets Python workers of its own.
    """
    from pyspark.sql.functions import arrow_udf

    payload = pickle.dumps(task)
    driver = driver_versions()

    # A nested function is pickled by value. So it starts on an executor without tfclf, and says so.
    def run(batches: Iterator[Any]) -> Iterator[Any]:
        import platform

        try:
            from tfclf.spark import worker
        except ImportError as error:
            raise ImportError(
                f"tfclf cannot be imported on the executor {platform.node()} (Python "
                f"{platform.python_version()}): {error}. Expected tfclf {driver['tfclf']} with "
                f"TensorFlow, as on the driver, in the Python that runs Spark's workers. Install "
                f"its wheel there, use an image that has it, or send a packed environment "
                f"(docs/spark.md)."
            ) from error
        yield from worker.run_task(payload, driver, batches)

    run.__name__ = run.__qualname__ = name
    # PySpark tells the kinds of functions apart by their annotations.
    run.__annotations__ = {"batches": Iterator[pa.Array], "return": Iterator[pa.Array]}
    with ignore_pandas_warning():
        function = arrow_udf(run, returns)
    return _isolate(function.asNondeterministic()) if expensive else function


def _isolate(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function Python workers of its own, on classic Spark.

    Spark hands out idle workers by their environment variables. Without this a worker that has
    split sentences would run the model next, and in time each would hold a copy of it.
    """

    def call(column: Any) -> Any:
        from pyspark import SparkContext

        context = SparkContext._active_spark_context
        if context is None:  # Spark Connect: the server makes the environment
            return function(column)
        context.environment[_POOL] = "model"
        try:
            return function(column)
        finally:
            context.environment.pop(_POOL, None)

    return call
