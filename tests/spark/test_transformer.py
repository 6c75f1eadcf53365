"""SequenceClassifier in a pipeline: transformed, saved, loaded, and refused."""

import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml import Pipeline, PipelineModel

import tfclf
from tests.spark.conftest import BUNDLED
from tfclf.errors import ExportError, InputError, SourceError
from tfclf.spark import SequenceClassifier, classify


@pytest.fixture
def saved(headlines: Any, tmp_path: Path) -> Iterator[Path]:
    """Return a saved pipeline that holds a copy of the bundled model."""
    folder = tmp_path / "pipeline"
    stage = SequenceClassifier(model=BUNDLED, outputCol="news", maxLength=16)
    Pipeline(stages=[stage]).fit(headlines).save(str(folder))
    yield folder
    shutil.rmtree(folder)


def _labels(frame: Any, column: str) -> dict[int, str]:
    return {row.id: row[column].label for row in frame.collect()}


def test_a_stage_gives_what_classify_gives(headlines: Any) -> None:
    stage = SequenceClassifier(model=BUNDLED).setInputCol("text").setOutputCol("news")
    few = headlines.where("id < 4")
    assert _labels(stage.transform(few), "news") == _labels(classify(few, BUNDLED), "prediction")


def test_a_saved_pipeline_holds_its_model(saved: Path, headlines: Any) -> None:
    loaded = PipelineModel.load(str(saved))
    (stage,) = loaded.stages
    assert Path(stage.getModel()).is_relative_to(saved)
    few = headlines.where("id < 4")
    expected = _labels(classify(few, BUNDLED), "prediction")
    assert _labels(loaded.transform(few), "news") == expected


def test_a_loaded_pipeline_has_its_params(saved: Path) -> None:
    (stage,) = PipelineModel.load(str(saved)).stages
    assert isinstance(stage, SequenceClassifier)
    assert (stage.getOutputCol(), stage.getOrDefault("maxLength")) == ("news", 16)


def test_a_loaded_pipeline_is_saved_again(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    PipelineModel.load(str(saved)).save(str(again))
    (stage,) = PipelineModel.load(str(again)).stages
    assert Path(stage.getModel()).is_relative_to(again)


def test_a_loaded_stage_does_not_overwrite_its_own_model(spark: Any, tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    SequenceClassifier(model=BUNDLED).save(str(folder))
    loaded = SequenceClassifier.load(str(folder))
    with pytest.raises(InputError, match=r"holds the model of this stage.*Expected a new folder"):
        loaded.write().overwrite().save(str(folder))
    assert Path(loaded.getModel()).is_dir()


def test_from_another_file_system_the_model_is_sent_to_the_executors(headlines: Any) -> None:
    folder = "viewfs://cluster/data/pipeline"
    PipelineModel([SequenceClassifier(model=BUNDLED)]).save(folder)
    loaded = PipelineModel.load(folder)
    assert loaded.stages[0].getModel().startswith("files:")
    few = headlines.where("id < 4")
    expected = _labels(classify(few, BUNDLED), "prediction")
    assert _labels(loaded.transform(few), "prediction") == expected


def test_by_reference_the_model_stays_where_it_is(headlines: Any, tmp_path: Path) -> None:
    stage = SequenceClassifier(model=BUNDLED, storage="reference")
    PipelineModel([stage]).save(str(tmp_path / "pipeline"))
    (loaded,) = PipelineModel.load(str(tmp_path / "pipeline")).stages
    assert Path(loaded.getModel()) == BUNDLED / "1"
    assert not list(tmp_path.glob("**/saved_model.pb"))


def test_a_model_that_the_driver_does_not_see_is_saved_by_reference_only(
    spark: Any, tmp_path: Path
) -> None:
    stage = SequenceClassifier(model="local:/opt/models/news")
    with pytest.raises(InputError, match=r"cannot be copied.*storage='reference'"):
        stage.save(str(tmp_path / "stage"))
    stage.setStorage("reference").save(str(tmp_path / "other"))
    loaded = SequenceClassifier.load(str(tmp_path / "other"))
    assert loaded.getModel() == "local:/opt/models/news"


def test_a_full_disk_leaves_no_half_of_a_stage(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tfclf.spark.storage.shutil.copytree", fail)
    with pytest.raises(ExportError, match=r"No space left on device.*storage='reference'"):
        SequenceClassifier(model=BUNDLED).save(str(tmp_path / "stage"))
    assert not (tmp_path / "stage").exists()


def test_a_folder_that_is_there_gets_no_model(spark: Any, tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    SequenceClassifier(model="local:/x", storage="reference").save(str(folder))
    with pytest.raises(Exception, match="already exists"):
        SequenceClassifier(model=BUNDLED).save(str(folder))
    assert [path.name for path in folder.iterdir()] == ["metadata"]


def test_a_newer_format_is_refused_with_its_version(saved: Path) -> None:
    _change_metadata(saved, lambda facts: facts["tfclf"].update(format_version=2, version="9.0"))
    with pytest.raises(SourceError, match=r"saved by tfclf 9.0 in format 2.*Install tfclf 9.0"):
        PipelineModel.load(str(saved))


def test_a_parameter_of_a_newer_version_is_refused_by_name(saved: Path) -> None:
    _change_metadata(saved, lambda facts: facts["paramMap"].update(flavour="mint"))
    with pytest.raises(SourceError, match="parameter 'flavour', which this tfclf"):
        PipelineModel.load(str(saved))


def test_params_are_copied_with_a_stage(spark: Any) -> None:
    stage = SequenceClassifier(model=BUNDLED)
    copied = stage.copy({stage.batchSize: 4})
    assert (copied.getOrDefault("batchSize"), stage.getOrDefault("batchSize")) == (4, 32)


def test_an_unknown_param_is_refused_with_the_known_ones(spark: Any) -> None:
    with pytest.raises(InputError, match=r"no Param 'inputcol'; it has .*inputCol"):
        SequenceClassifier(inputcol="text")


def test_a_rule_is_saved_with_a_stage_and_decides(
    headlines: Any, tmp_path: Path, bundled: tfclf.Classifier
) -> None:
    stage = SequenceClassifier(model=BUNDLED, storage="reference", topK=2, abstainBelow=1.0)
    stage.setThreshold({"a": 0.5}).save(str(tmp_path / "stage"))
    loaded = SequenceClassifier.load(str(tmp_path / "stage"))
    assert loaded.getOrDefault("threshold") == {"a": 0.5}
    loaded.clear(loaded.threshold)
    row = loaded.transform(headlines.where("id = 1")).first()
    (expected,) = bundled.predict([row.text], top_k=2, abstain_below=1.0)
    assert row.prediction.top == [label for label, _ in expected.top or ()]
    assert row.prediction.label is None
    assert "is below 1" in row.prediction.reason


def test_a_threshold_outside_0_to_1_is_refused(spark: Any) -> None:
    with pytest.raises(InputError, match="threshold is 2"):
        SequenceClassifier(threshold=2)


def test_an_unknown_storage_is_refused(spark: Any) -> None:
    with pytest.raises(InputError, match="storage is 'beside'; expected 'inside' or 'reference'"):
        SequenceClassifier(storage="beside")


def test_a_stage_without_a_model_says_so(headlines: Any) -> None:
    with pytest.raises(InputError, match="has no model"):
        SequenceClassifier().transform(headlines)


def test_a_limit_above_the_model_s_is_refused(headlines: Any) -> None:
    stage = SequenceClassifier(model=BUNDLED, maxLength=1024)
    with pytest.raises(InputError, match="reads at most 512 tokens"):
        stage.transform(headlines)


def _change_metadata(saved: Path, change: Any) -> None:
    (path,) = saved.glob("stages/*/metadata/part-*")
    facts = json.loads(path.read_text(encoding="utf-8"))
    change(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")
    path.with_name(f".{path.name}.crc").unlink()  # Hadoop's checksum of the file before
