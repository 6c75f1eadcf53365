"""One real cluster for all tests of Spark: two executors in processes of their own."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest

from samples.checkpoints import ROOT
from tfclf.spark import start

BUNDLED = ROOT / "saved_models" / "distilbert_mini_sequence_classifier_ag_news"
HEADLINES = (
    "Ceasefire talks resume after a night of shelling",
    "Late goal wins the cup for the home side",
    "Shares jump after earnings beat forecasts",
    "New processor doubles the speed of laptops",
)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the session of a local cluster; its executors get this checkout."""
    folder = tmp_path_factory.mktemp("spark")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(_link_spark_home(folder / "home")))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.delenv("SPARK_REMOTE", raising=False)
        session = start(
            master="local-cluster[2,1,1024]",
            memory="1g",
            app_name="tfclf tests",
            config={
                "spark.executorEnv.PYTHONPATH": str(ROOT),
                "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "3",
                "spark.executorEnv.TFCLF_CACHE": os.environ.get("TFCLF_CACHE", ""),
                "spark.pyspark.python": sys.executable,
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.host": "127.0.0.1",
                "spark.ui.enabled": "false",
                "spark.task.maxFailures": "2",
                "spark.sql.shuffle.partitions": "2",
                "spark.sql.warehouse.dir": str(folder / "warehouse"),
                "spark.local.dir": str(folder / "local"),
                # A file system that is not the local one, as HDFS and object stores are not.
                "spark.hadoop.fs.viewfs.mounttable.cluster.link./data": f"file://{folder}/data",
            },
        )
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def headlines(spark: Any) -> Any:
    """Return 40 rows of id and text, in four partitions."""
    rows = [(number, HEADLINES[number % 4] + "." * (number // 4)) for number in range(40)]
    return spark.createDataFrame(rows, "id long, text string").repartition(4)


@pytest.fixture(scope="session")
def bundled() -> Any:
    """Return the bundled model, loaded in this process."""
    import tfclf

    return tfclf.load(BUNDLED)


def _link_spark_home(folder: Path) -> Path:
    """Link PySpark's files into a folder: a local cluster writes its work beside them."""
    folder.mkdir()
    for path in Path(pyspark.__file__).parent.iterdir():
        (folder / path.name).symlink_to(path)
    return folder
