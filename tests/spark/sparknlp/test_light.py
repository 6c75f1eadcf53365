"""LightPipeline: texts instead of DataFrames, and what it refuses."""

from typing import Any

import pytest
from pyspark.ml import Transformer

from tests.spark.sparknlp.conftest import make_stages
from tfclf.errors import InputError
from tfclf.spark.sparknlp import (
    LightPipeline,
    PipelineModel,
)

_TEXT = "Late goal wins the cup."


class _Other(Transformer):
    """A stage of another package."""

    def _transform(self, dataset: Any) -> Any:
        return dataset


@pytest.mark.parametrize("target", [None, 3, b"bytes", ("a", "tuple"), ["text", 3]])
def test_what_is_no_text_is_refused(spark: Any, target: Any) -> None:
    light = LightPipeline(PipelineModel(make_stages()))
    with pytest.raises(InputError, match="expected a str or a list of str"):
        light.annotate(target)


def test_a_list_gives_a_list(spark: Any) -> None:
    answers = LightPipeline(PipelineModel(make_stages())).annotate([_TEXT, _TEXT])
    assert [one["class"] for one in answers] == [["Sports"], ["Sports"]]


def test_stages_of_a_pipeline_in_a_pipeline_run_in_their_order(spark: Any) -> None:
    document, *others = make_stages()
    light = LightPipeline(PipelineModel([PipelineModel([document]), PipelineModel(others)]))
    assert light.annotate(_TEXT)["class"] == ["Sports"]


def test_a_stage_of_another_package_is_refused_by_name(spark: Any) -> None:
    light = LightPipeline(PipelineModel([*make_stages(), _Other()]))
    assert not light.getIgnoreUnsupported()
    with pytest.raises(InputError, match=r"a stage _Other, .*setIgnoreUnsupported"):
        light.annotate(_TEXT)


def test_a_stage_of_another_package_is_passed_over_if_asked(spark: Any) -> None:
    light = LightPipeline(PipelineModel([*make_stages(), _Other()])).setIgnoreUnsupported(True)
    assert light.getIgnoreUnsupported()
    assert light.annotate(_TEXT)["class"] == ["Sports"]


def test_transform_runs_on_a_data_frame(spark: Any) -> None:
    frame = spark.createDataFrame([(_TEXT,)], "text string")
    (row,) = LightPipeline(PipelineModel(make_stages())).transform(frame).collect()
    assert [one.result for one in row["class"]] == ["Sports"]
