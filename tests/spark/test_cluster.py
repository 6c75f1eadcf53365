"""An executor that dies in the middle of a job."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from tests.spark.conftest import BUNDLED, HEADLINES
from tfclf.spark import classify

_ROWS = 160
_PARTITIONS = 16


def test_a_killed_executor_loses_and_doubles_no_row(spark: Any, tmp_path: Path) -> None:
    rows = [(number, HEADLINES[number % 4]) for number in range(_ROWS)]
    texts = spark.createDataFrame(rows, "id long, text string").repartition(_PARTITIONS)
    output = str(tmp_path / "scored")
    failures: list[BaseException] = []

    def write() -> None:
        try:
            classify(texts, BUNDLED).write.parquet(output)
        except BaseException as error:
            failures.append(error)

    before = _find_executors(spark)
    job = threading.Thread(target=write)
    job.start()
    while job.is_alive() and _count_done(spark) < 2:
        time.sleep(0.01)
    assert job.is_alive(), "the job ended before an executor could be killed"
    before[0].kill()
    job.join(timeout=120)
    assert not job.is_alive()
    assert not failures
    scored = spark.read.parquet(output).select("id", "prediction.label").collect()
    assert sorted(row.id for row in scored) == list(range(_ROWS))
    assert all(row.label for row in scored)
    assert {process.pid for process in _find_executors(spark)} != {one.pid for one in before}


def _find_executors(spark: Any) -> list[psutil.Process]:
    java = psutil.Process(spark.sparkContext._gateway.proc.pid)
    executors = []
    for process in java.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # one that has ended meanwhile
            if "CoarseGrainedExecutorBackend" in " ".join(process.cmdline()):
                executors.append(process)
    return executors


def _count_done(spark: Any) -> int:
    """Count the tasks that have ended in the stage that writes."""
    tracker = spark.sparkContext.statusTracker()
    infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return max(
        (info.numCompletedTasks for info in infos if info and info.numTasks == _PARTITIONS),
        default=0,
    )
