"""`tfclf.spark.classify` on a cluster, against the classifier in this process."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import tfclf
from tests.spark.conftest import BUNDLED, HEADLINES
from tfclf.spark import classify, ship_model
from tfclf.spark.functions import make_function


@pytest.fixture(scope="module")
def scored(headlines: Any) -> dict[int, Any]:
    """Return the rows with predictions, by id."""
    return {row.id: row for row in classify(headlines, BUNDLED).collect()}


@pytest.fixture(scope="module")
def expected(scored: dict[int, Any], bundled: tfclf.Classifier) -> dict[int, tfclf.Prediction]:
    """Return the predictions of the classifier in this process, by id."""
    ids = sorted(scored)
    return dict(zip(ids, bundled.predict([scored[number].text for number in ids]), strict=True))


def test_every_row_is_there_once_with_its_other_columns(scored: dict[int, Any]) -> None:
    assert sorted(scored) == list(range(40))
    assert all(scored[number].text.startswith(HEADLINES[number % 4]) for number in scored)


def test_labels_are_those_of_the_classifier(
    scored: dict[int, Any], expected: dict[int, tfclf.Prediction]
) -> None:
    assert {number: row.prediction.label for number, row in scored.items()} == {
        number: prediction.label for number, prediction in expected.items()
    }


def test_probabilities_are_those_of_the_classifier(
    scored: dict[int, Any], expected: dict[int, tfclf.Prediction]
) -> None:
    for number, row in scored.items():
        assert row.prediction.probabilities == pytest.approx(
            dict(expected[number].probabilities or {}), abs=1e-5
        )


def test_the_score_is_the_label_s_probability(scored: dict[int, Any]) -> None:
    for row in scored.values():
        assert row.prediction.score == row.prediction.probabilities[row.prediction.label]


def test_the_schema_is_the_documented_one(headlines: Any) -> None:
    field = classify(headlines, BUNDLED).schema["prediction"]
    assert field.dataType.simpleString() == (
        "struct<label:string,score:double,probabilities:map<string,double>,truncated:boolean>"
    )


def test_labels_stand_in_the_model_s_order(headlines: Any, bundled: tfclf.Classifier) -> None:
    """Asked in SQL: a map that is collected to Python comes in Java's order."""
    keys = classify(headlines, BUNDLED).selectExpr("map_keys(prediction.probabilities) AS labels")
    assert tuple(keys.collect()[0].labels) == bundled.labels


def test_a_text_that_is_too_long_is_marked(spark: Any) -> None:
    texts = spark.createDataFrame([("cup " * 600,), ("cup",)], "text string")
    rows = classify(texts, BUNDLED).collect()
    assert [row.prediction.truncated for row in rows] == [True, False]


@pytest.mark.verify
def test_a_row_of_10_mb_gets_an_answer(spark: Any) -> None:
    texts = spark.createDataFrame([("cup " * 2_500_000,), ("cup",)], "text string")
    rows = classify(texts, BUNDLED).collect()
    assert [row.prediction.truncated for row in rows] == [True, False]


def test_windows_read_all_of_a_long_text(spark: Any, bundled: tfclf.Classifier) -> None:
    text = "The visitors won the final after a late goal. " * 100
    texts = spark.createDataFrame([(text,)], "text string")
    (row,) = classify(texts, BUNDLED, long="windows").collect()
    assert not row.prediction.truncated
    assert row.prediction.score == pytest.approx(
        bundled.predict(text, long="windows").score, abs=1e-5
    )


def test_a_smaller_limit_truncates_as_an_export_with_that_limit(
    spark: Any, bundled: tfclf.Classifier
) -> None:
    """The reference: the same text, cut by hand to the words that fit."""
    words = ["shares", "jump", "after", "the", "bank", "lifts", "its", "forecast"]
    texts = spark.createDataFrame([(" ".join(words),)], "text string")
    (row,) = classify(texts, BUNDLED, max_length=5).collect()
    assert row.prediction.truncated
    assert row.prediction.probabilities == pytest.approx(
        dict(bundled.predict(" ".join(words[:3])).probabilities or {}), abs=1e-5
    )


def test_a_null_becomes_null_if_asked(spark: Any) -> None:
    texts = spark.createDataFrame([(HEADLINES[1],), (None,), (HEADLINES[2],)], "text string")
    rows = classify(texts, BUNDLED, on_null="null").collect()
    labels = [row.prediction and row.prediction.label for row in rows]
    assert labels == ["Sports", None, "Business"]


def test_an_empty_frame_gives_an_empty_frame(spark: Any) -> None:
    assert classify(spark.createDataFrame([], "text string"), BUNDLED).count() == 0


def test_names_with_dots_and_backticks_are_columns(spark: Any) -> None:
    texts = spark.createDataFrame([(HEADLINES[1],)], "`the.`` text` string")
    (row,) = classify(texts, BUNDLED, column="the.` text").collect()
    assert row.prediction.label == "Sports"


def test_a_filter_on_the_result_does_not_run_the_model_twice(headlines: Any) -> None:
    sports = classify(headlines, BUNDLED).where("prediction.label = 'Sports'")
    plan = sports._jdf.queryExecution().executedPlan().toString()
    assert plan.count("ArrowEvalPython") == 1


def test_a_shipped_model_needs_no_shared_folder(spark: Any, headlines: Any) -> None:
    place = ship_model(spark, BUNDLED)
    assert place.startswith("files:")
    rows = classify(headlines, place).where("id < 4").collect()
    assert {row.prediction.label for row in rows} == {"World", "Sports", "Business", "Sci/Tech"}


def test_a_model_is_shipped_twice_under_one_name(spark: Any) -> None:
    assert ship_model(spark, BUNDLED) == ship_model(spark, BUNDLED)


def test_a_card_s_name_is_a_model(headlines: Any) -> None:
    rows = classify(headlines, BUNDLED.name).where("id = 1").collect()
    assert [row.prediction.label for row in rows] == ["Sports"]


@dataclass(frozen=True)
class _Look:
    """Say which process ran a task, with which model and how many threads."""

    place: str

    def run(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from tfclf.spark.worker import load_model

        model = load_model(self.place)
        import tensorflow as tf

        threads = tf.config.threading.get_intra_op_parallelism_threads()
        for batch in batches:
            yield pa.array([f"{os.getpid()} {id(model)} {threads}"] * len(batch))


class _Process:
    """Say which process ran a task."""

    def run(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        for batch in batches:
            yield pa.array([str(os.getpid())] * len(batch))


@pytest.fixture(scope="module")
def seen(headlines: Any) -> list[tuple[str, str, str]]:
    """Return process, model and threads of eight tasks."""
    look = make_function(_Look(str(BUNDLED / "1")), "string", name="look", expensive=True)
    rows = headlines.repartition(8).select(look("text").alias("seen")).collect()
    return [tuple(row.seen.split()) for row in rows]


def test_a_worker_loads_the_model_once_for_many_tasks(seen: list[tuple[str, str, str]]) -> None:
    """Two executors with one core each keep one Python worker each."""
    processes = {process for process, _, _ in seen}
    assert len(processes) <= 2
    assert len({(process, model) for process, model, _ in seen}) == len(processes)


def test_functions_without_a_model_run_in_other_workers(
    headlines: Any, seen: list[tuple[str, str, str]]
) -> None:
    """Else each of them would hold a copy of the model in time."""
    process = make_function(_Process(), "string", name="process")
    rows = headlines.repartition(8).select(process("text").alias("process")).collect()
    assert not {row.process for row in rows} & {process for process, _, _ in seen}


def test_tensorflow_gets_the_cores_of_one_task(seen: list[tuple[str, str, str]]) -> None:
    assert {threads for _, _, threads in seen} == {"1"}
