"""Spark Connect: a client without a JVM of its own, and a server beside it."""

import json
import os
import subprocess
import sys

import pytest

from samples.checkpoints import ROOT
from tests.spark.conftest import BUNDLED, HEADLINES
from tfclf.spark.java import find_java
from tfclf.spark.trimmed_java import complete_java

pytestmark = pytest.mark.verify  # another JVM and two more loads of TensorFlow
pytest.importorskip("grpc_status", reason="Spark Connect's client needs pyspark[connect]")

# A process of its own: PySpark is either classic or a client in one process.
_PROGRAM = """
import json, sys
from pyspark.sql import SparkSession
from tfclf.spark import SequenceClassifier, classify, ship_model

model, headlines, folder = json.loads(sys.argv[1])
spark = (
    SparkSession.builder.remote("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
texts = spark.createDataFrame([(text,) for text in headlines], "text string").coalesce(1)
found = {"module": type(spark).__module__}
found["path"] = [row.prediction.label for row in classify(texts, model).collect()]
place = ship_model(spark, model)
found["shipped"] = [row.prediction.label for row in classify(texts, place).collect()]
stage = SequenceClassifier(model=model)
found["stage"] = [row.prediction.label for row in stage.transform(texts).collect()]
try:
    stage.save(f"{folder}/inside")
except Exception as error:
    found["inside"] = str(error)
stage.setStorage("reference").save(f"{folder}/reference")
found["reference"] = SequenceClassifier.load(f"{folder}/reference").getModel()
print(json.dumps(found))
spark.stop()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return what a client saw."""
    folder = str(tmp_path_factory.mktemp("connect"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SPARK_")
    } | {
        "JAVA_HOME": str(complete_java(find_java())),
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps([str(BUNDLED), HEADLINES, folder])],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    answer: dict[str, object] = json.loads(lines[-1])
    return answer


_LABELS = ["World", "Sports", "Business", "Sci/Tech"]


def test_the_client_is_one_of_connect(found: dict[str, object]) -> None:
    assert str(found["module"]).startswith("pyspark.sql.connect")


@pytest.mark.parametrize("way", ["path", "shipped", "stage"])
def test_a_model_is_found_by_path_and_by_artifact(found: dict[str, object], way: str) -> None:
    assert found[way] == _LABELS


def test_a_model_inside_a_saved_stage_is_refused_with_the_other_way(
    found: dict[str, object],
) -> None:
    assert "storage='reference'" in str(found["inside"])


def test_a_stage_is_saved_by_reference(found: dict[str, object]) -> None:
    assert found["reference"] == str(BUNDLED / "1")
