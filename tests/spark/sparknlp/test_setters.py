"""Setters of Spark NLP's stages: each changes its parameter, and bad values are refused."""

from pathlib import Path
from typing import Any

import pytest

from samples.checkpoints import tiny_checkpoint
from tests.spark.conftest import BUNDLED
from tfclf.errors import InputError, SourceNotFoundError
from tfclf.saved_model.manifest import Manifest
from tfclf.spark.sparknlp import (
    DistilBertForSequenceClassification,
    DocumentAssembler,
    Finisher,
    LightPipeline,
    PipelineModel,
    SentenceDetector,
    Tokenizer,
)

_TEXT = "Oh. Late goal wins the cup, again. Yes."


def _classifier() -> Any:
    return DistilBertForSequenceClassification.loadSavedModel(str(BUNDLED), None)


def _annotate(*stages: Any) -> list[str]:
    """Return the results of the last stage's column on the text."""
    document = DocumentAssembler().setInputCol("text").setOutputCol("document")
    answer = LightPipeline(PipelineModel([document, *stages])).annotate(_TEXT)
    results: list[str] = answer[stages[-1].getOutputCol()]
    return results


def _sentences() -> Any:
    return SentenceDetector().setInputCols(["document"]).setOutputCol("sentence")


def _tokens() -> Any:
    return Tokenizer().setInputCols(["document"]).setOutputCol("token")


def test_sentences_shorter_than_the_minimum_are_dropped(spark: Any) -> None:
    assert _annotate(_sentences().setMinLength(5)) == ["Late goal wins the cup, again."]


def test_sentences_longer_than_the_maximum_are_dropped(spark: Any) -> None:
    assert _annotate(_sentences().setMaxLength(5)) == ["Oh.", "Yes."]


def test_tokens_shorter_than_the_minimum_are_dropped(spark: Any) -> None:
    assert _annotate(_tokens().setMinLength(4)) == ["Late", "goal", "wins", "again"]


def test_tokens_longer_than_the_maximum_are_dropped(spark: Any) -> None:
    assert _annotate(_tokens().setMaxLength(2)) == ["Oh", ".", ",", ".", "."]


def test_only_context_characters_are_split_off(spark: Any) -> None:
    tokens = _tokens().setContextChars([","])
    assert tokens.getContextChars() == [","]
    assert _annotate(tokens)[-4:] == ["cup", ",", "again.", "Yes."]


def test_context_characters_have_one_character_each(spark: Any) -> None:
    with pytest.raises(InputError, match=r"contextChars is \['ab'\]; .*one character each"):
        _tokens().setContextChars(["ab"])


def test_a_finisher_without_columns_says_so(spark: Any) -> None:
    with pytest.raises(InputError, match="call of setInputCols before"):
        Finisher().getInputCols()


def test_a_finisher_names_its_columns_by_itself(spark: Any) -> None:
    assert Finisher().setInputCols(["class", "token"]).getOutputCols() == [
        "finished_class",
        "finished_token",
    ]


def test_a_finisher_needs_as_many_names_as_columns(spark: Any) -> None:
    frame = spark.createDataFrame([("text",)], "text string")
    finisher = Finisher().setInputCols("a", "b").setOutputCols("c")
    with pytest.raises(InputError, match="2 inputCols and 1 outputCols; expected as many"):
        finisher.transform(frame)


def test_a_finisher_refuses_a_column_without_annotations(spark: Any) -> None:
    frame = spark.createDataFrame([("text",)], "text string")
    with pytest.raises(InputError, match=r"'text' holds no annotations\. .*none is there"):
        Finisher().setInputCols("text").transform(frame)


def test_a_stage_needs_the_columns_that_it_reads(spark: Any) -> None:
    with pytest.raises(InputError, match=r"setInputCols got \['document'\]; expected 2"):
        _classifier().setInputCols(["document"])


def test_a_stage_without_columns_says_which_call_is_missing(spark: Any) -> None:
    with pytest.raises(InputError, match=r"has no inputCols\. Expected a call of setInputCols"):
        Tokenizer().getInputCols()


def test_the_limit_is_the_model_s_until_it_is_set(spark: Any) -> None:
    assert _classifier().getMaxSentenceLength() == Manifest.read(BUNDLED / "1").max_length


def test_a_limit_that_is_set_is_told(spark: Any) -> None:
    assert _classifier().setMaxSentenceLength(16).getMaxSentenceLength() == 16


def test_the_batch_size_is_told(spark: Any) -> None:
    assert _classifier().setBatchSize(3).getBatchSize() == 3


def test_coalescing_is_told(spark: Any) -> None:
    assert _classifier().setCoalesceSentences(True).getCoalesceSentences()


def test_an_unknown_activation_is_refused_with_the_known_ones(spark: Any) -> None:
    with pytest.raises(InputError, match="activation is 'tanh'; expected "):
        _classifier().setActivation("tanh")


def test_a_model_that_is_no_multi_label_one_is_refused(spark: Any) -> None:
    with pytest.raises(InputError, match=r"(?i)multi.?label"):
        _classifier().setMultilabel(True).make_annotator()


def test_a_folder_that_is_not_there_is_told(spark: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="there is no such folder or file"):
        DistilBertForSequenceClassification.loadSavedModel(str(tmp_path / "none"), None)


def test_a_checkpoint_is_exported_once(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFCLF_CACHE", str(tmp_path / "cache"))
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    first, second = (
        DistilBertForSequenceClassification.loadSavedModel(str(checkpoint), None).getModel()
        for _ in range(2)
    )
    assert first == second
    assert len(list((tmp_path / "cache" / "exports").glob("*/*/*/saved_model.pb"))) == 1
