"""Pipelines of Spark NLP's stages around the bundled model: options, saving, LightPipeline."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfclf
from tests.spark.conftest import BUNDLED, HEADLINES
from tests.spark.sparknlp.conftest import make_stages
from tfclf.errors import InputError, SourceError
from tfclf.spark.sparknlp import (
    Annotation,
    DistilBertForSequenceClassification,
    DocumentAssembler,
    Finisher,
    LightPipeline,
    Pipeline,
    PipelineModel,
    RoBertaForSequenceClassification,
    SentenceDetector,
    Tokenizer,
)

_TWO = "Late goal wins the cup. Shares jump after earnings."


@pytest.fixture(scope="module")
def two(spark: Any) -> Any:
    """Return one row of two sentences."""
    return spark.createDataFrame([(_TWO,)], "text string")


@pytest.fixture(scope="module")
def by_sentence(two: Any) -> Any:
    """Return the row with one class per sentence."""
    return Pipeline(stages=make_stages(by_sentence=True)).fit(two).transform(two).collect()[0]


def test_each_sentence_has_a_class_and_its_place(by_sentence: Any) -> None:
    found = [(one.result, one.begin, one.end) for one in by_sentence["class"]]
    assert found == [("Sports", 0, 22), ("Business", 24, 50)]


def test_sentences_are_numbered(by_sentence: Any) -> None:
    for column in ("sentence", "class"):
        assert [one.metadata["sentence"] for one in by_sentence[column]] == ["0", "1"]


def test_tokens_know_their_sentence(by_sentence: Any) -> None:
    tokens = [(one.result, one.begin, one.metadata["sentence"]) for one in by_sentence["token"]]
    assert tokens[4:8] == [("cup", 19, "0"), (".", 22, "0"), ("Shares", 24, "1"), ("jump", 31, "1")]


def test_coalesced_sentences_get_the_mean_of_their_probabilities(
    bundled: tfclf.Classifier,
) -> None:
    stages = make_stages(by_sentence=True)
    stages[-1].setCoalesceSentences(True)
    (answer,) = LightPipeline(PipelineModel(stages)).fullAnnotate(_TWO)
    (found,) = answer["class"]
    sentences = bundled.predict([part.result for part in answer["sentence"]])
    means = np.mean([list((one.probabilities or {}).values()) for one in sentences], axis=0)
    shown = [float(found.metadata[label]) for label in bundled.labels]
    assert shown == pytest.approx(means.tolist(), abs=1e-6)
    assert (found.begin, found.end) == (0, 22)


def test_a_light_pipeline_gives_what_a_job_gives(by_sentence: Any) -> None:
    (answer,) = LightPipeline(PipelineModel(make_stages(by_sentence=True))).fullAnnotate(_TWO)
    for column in ("document", "sentence", "token"):
        assert answer[column] == [Annotation(**one.asDict()) for one in by_sentence[column]]
    assert [one.result for one in answer["class"]] == [one.result for one in by_sentence["class"]]


def test_annotate_gives_results_by_column(spark: Any) -> None:
    light = LightPipeline(PipelineModel(make_stages()))
    assert light.annotate(HEADLINES[1])["class"] == ["Sports"]
    assert [answer["class"] for answer in light.annotate(list(HEADLINES[:2]))] == [
        ["World"],
        ["Sports"],
    ]


def test_a_null_and_an_empty_text_have_a_document_and_no_class(spark: Any) -> None:
    texts = spark.createDataFrame([(None,), ("",), ("  ",)], "text string")
    rows = PipelineModel(make_stages()).transform(texts).collect()
    assert [(len(row.document), len(row["class"])) for row in rows] == [(1, 0)] * 3


def test_a_finisher_gives_plain_strings(two: Any) -> None:
    finisher = Finisher().setInputCols(["class"]).setIncludeMetadata(True)
    result = PipelineModel([*make_stages(by_sentence=True), finisher]).transform(two)
    assert result.columns == ["text", "finished_class", "finished_class_md"]
    row = result.collect()[0]
    assert row.finished_class == ["Sports", "Business"]
    assert set(row.finished_class_md) == {"sentence", "World", "Sports", "Business", "Sci/Tech"}


def test_a_finisher_joins_results_and_metadata(two: Any) -> None:
    finisher = Finisher().setInputCols("sentence").setOutputCols("out").setOutputAsArray(False)
    stages = make_stages(by_sentence=True)[:2]
    plain = PipelineModel([*stages, finisher]).transform(two).collect()[0]
    assert plain.out == "Late goal wins the cup.@Shares jump after earnings."
    detailed = (
        PipelineModel([*stages, finisher.setIncludeMetadata(True)]).transform(two).collect()[0]
    )
    assert detailed.out == (
        "sentence->0#result->Late goal wins the cup."
        "@sentence->1#result->Shares jump after earnings."
    )


def test_a_light_pipeline_with_a_finisher_keeps_its_columns_only() -> None:
    stages = [*make_stages(), Finisher().setInputCols(["class"])]
    assert list(LightPipeline(PipelineModel(stages)).annotate(HEADLINES[1])) == ["class"]


def test_every_stage_is_saved_and_loaded(two: Any, tmp_path: Path) -> None:
    finisher = Finisher().setInputCols(["class"]).setOutputCols(["labels"])
    stages = make_stages(by_sentence=True)
    stages[0].setCleanupMode("shrink")
    pipeline = PipelineModel([*stages, finisher])
    pipeline.save(str(tmp_path / "pipeline"))
    loaded = PipelineModel.load(str(tmp_path / "pipeline"))
    assert [type(stage) for stage in loaded.stages] == [type(stage) for stage in pipeline.stages]
    assert loaded.stages[0].getCleanupMode() == "shrink"
    assert Path(loaded.stages[-2].getModel()).is_relative_to(tmp_path)
    assert loaded.transform(two).collect()[0].labels == ["Sports", "Business"]


def test_exploded_sentences_are_rows(two: Any) -> None:
    stages = make_stages(by_sentence=True)[:3]
    stages[1].setExplodeSentences(True)
    rows = PipelineModel(stages).transform(two).collect()
    assert [[one.result for one in row.sentence] for row in rows] == [
        ["Late goal wins the cup."],
        ["Shares jump after earnings."],
    ]
    assert [row.token[0].begin for row in rows] == [0, 24]


def test_places_count_in_utf_16_as_java_does() -> None:
    light = LightPipeline(PipelineModel(make_stages(by_sentence=True)[:3]))
    (answer,) = light.fullAnnotate("Goal \U0001f600 (late). Next.")
    assert answer["document"][0].end == 20
    assert [(one.begin, one.end) for one in answer["sentence"]] == [(0, 14), (16, 20)]
    places = {one.result: (one.begin, one.end) for one in answer["token"]}
    assert (places["\U0001f600"], places["late"], places[")."]) == ((5, 6), (9, 12), (13, 14))


def test_a_smaller_sentence_length_truncates(bundled: tfclf.Classifier) -> None:
    stages = make_stages()
    stages[-1].setMaxSentenceLength(5)
    (answer,) = LightPipeline(PipelineModel(stages)).fullAnnotate("shares jump after the bank")
    expected = dict(bundled.predict("shares jump after").probabilities or {})
    found = {label: float(answer["class"][0].metadata[label]) for label in bundled.labels}
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("stage", "setter", "message"),
    [
        (Tokenizer, "setSplitChars", "tokenizer of their training"),
        (Tokenizer, "addException", "no parameter 'exception'"),
        (SentenceDetector, "setCustomBounds", "sentencex"),
        (DistilBertForSequenceClassification, "setConfigProtoBytes", "spark.task.cpus"),
        (DistilBertForSequenceClassification, "setLazyAnnotator", "recursive pipelines"),
        (DistilBertForSequenceClassification, "setFlavour", "It has: setActivation"),
        (DocumentAssembler, "setIdCol", "stay beside the predictions"),
        (Finisher, "setParseEmbeddingsVectors", "No stage here makes embeddings"),
    ],
)
def test_a_parameter_that_is_not_here_is_told_with_its_counterpart(
    stage: Any, setter: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        getattr(stage(), setter)(True)


def test_a_missing_setter_is_an_attribute_error_too() -> None:
    assert not hasattr(Tokenizer(), "setSplitChars")


def test_the_activation_must_be_the_model_s() -> None:
    stages = make_stages()
    stages[-1].setActivation("sigmoid")
    with pytest.raises(InputError, match=r"activation is 'sigmoid'.*expected 'softmax'"):
        LightPipeline(PipelineModel(stages)).annotate("x")


def test_a_class_for_another_family_is_refused() -> None:
    with pytest.raises(InputError, match=r"family 'distilbert', and RoBerta.* is for 'roberta'"):
        RoBertaForSequenceClassification.loadSavedModel(str(BUNDLED), None)


def test_columns_of_the_wrong_type_are_refused(two: Any) -> None:
    stages = make_stages()
    stages[-1].setInputCols(["text", "document"])
    with pytest.raises(InputError, match=r"'text' .no column of annotations.*Tokenizer makes"):
        PipelineModel(stages).transform(two)


def test_a_model_that_is_not_here_is_told_how_to_get(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TFCLF_CACHE", str(tmp_path))
    name = "distilbert_base_sequence_classifier_ag_news"
    with pytest.raises(SourceError, match=f"tfclf pull {name}"):
        DistilBertForSequenceClassification.pretrained(name, "en")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no default model here"),
        ((BUNDLED.name, "fr"), "for the language 'en', and 'fr' was given"),
        ((BUNDLED.name, "en", "s3://models"), "downloads nothing here"),
    ],
)
def test_pretrained_refuses_what_it_cannot_do(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DistilBertForSequenceClassification.pretrained(*arguments)


def test_a_saved_stage_of_another_class_is_refused(spark: Any, tmp_path: Path) -> None:
    Tokenizer().save(str(tmp_path / "stage"))
    with pytest.raises(SourceError, match=r"a stage tfclf.spark.sparknlp.Tokenizer; expected"):
        DistilBertForSequenceClassification.load(str(tmp_path / "stage"))


def test_an_annotator_that_is_not_here_is_told_with_those_that_are() -> None:
    from tfclf.spark import sparknlp

    with pytest.raises(AttributeError, match=r"no BertEmbeddings.*SentenceDetector"):
        sparknlp.BertEmbeddings  # noqa: B018


def test_start_refuses_what_it_cannot_do() -> None:
    from tfclf.spark import sparknlp

    with pytest.raises(InputError, match=r"TFCLF_CACHE"):
        sparknlp.start(cache_folder="/models")
    with pytest.raises(InputError, match=r"no parameter 'flavour'"):
        sparknlp.start(flavour="mint")
