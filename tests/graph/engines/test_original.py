"""Model types that no family declares: checkpoint and export give the logits of the TF class."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from samples.checkpoints import OTHERS, edit_json, other_checkpoint, tiny_checkpoint
from tests.graph.engines.lengths import compare_lengths
from tfclf import verifier
from tfclf._transformers import transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import CheckpointError, InputError, TokenizerError, UnknownFamilyError
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.buckets import Ladder

TOLERANCE = 1e-5
TEXTS = ["", *HEADLINES, "news " * 30, *(text[:100] for text in hostile_texts(12, seed=5))]


@pytest.fixture(scope="module", params=OTHERS)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_checkpoint(tmp_path_factory.mktemp(request.param) / "checkpoint", request.param)


@pytest.fixture(scope="module")
def live_other(other: Path) -> tfclf.Classifier:
    """The checkpoint, whose signatures are traced as they are called."""
    return tfclf.load(other)


@pytest.fixture(scope="module")
def exported_other(other: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tfclf.export(other, tmp_path_factory.mktemp("exports") / other.parent.name)


@pytest.fixture(scope="module")
def loaded_other(exported_other: Path) -> tfclf.Classifier:
    return tfclf.load(exported_other)


def _run_reference(folder: Path, texts: Sequence[str]) -> np.ndarray:
    model = open_checkpoint(folder).load_model()
    tokenizer = transformers().AutoTokenizer.from_pretrained(folder)
    limit = open_checkpoint(folder).max_length
    inputs = tokenizer(
        list(texts), truncation=True, max_length=limit, padding=True, return_tensors="tf"
    )
    logits: np.ndarray = model(dict(inputs), training=False).logits.numpy()
    return logits


@pytest.mark.sample("mpnet", "xlnet")
def test_rows_of_1_to_512_tokens_equal_the_class_run_eagerly(
    other: Path, live_other: tfclf.Classifier
) -> None:
    compare_lengths(live_other, open_checkpoint(other).load_model())


@pytest.mark.sample("mpnet", "xlnet")
def test_a_checkpoint_gives_the_original_s_logits(
    other: Path, live_other: tfclf.Classifier
) -> None:
    logits = live_other(TEXTS)["logits"]
    np.testing.assert_allclose(logits, _run_reference(other, TEXTS), atol=TOLERANCE, rtol=0)


@pytest.mark.sample("mpnet")
def test_an_export_gives_the_original_s_logits(other: Path, loaded_other: tfclf.Classifier) -> None:
    logits = loaded_other(TEXTS)["logits"]
    np.testing.assert_allclose(logits, _run_reference(other, TEXTS), atol=TOLERANCE, rtol=0)


@pytest.mark.sample("mpnet")
def test_an_export_says_which_engine_it_has(loaded_other: tfclf.Classifier, other: Path) -> None:
    manifest = loaded_other.manifest
    assert (manifest.engine, manifest.family) == (
        "original",
        open_checkpoint(other).config["model_type"],
    )


@pytest.mark.sample("mpnet")
def test_verify_finds_an_export_equal(
    other: Path,
    exported_other: Path,
    loaded_other: tfclf.Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verifier, "load_export", lambda *_, **__: loaded_other)
    certificate = tfclf.verify(exported_other, other, [*HEADLINES, "news " * 600])
    assert certificate.equal, certificate.differences


@pytest.mark.sample("mpnet")
def test_an_empty_batch_gives_empty_outputs(loaded_other: tfclf.Classifier) -> None:
    assert loaded_other(tf.constant([], tf.string))["logits"].shape == (0, 4)


@pytest.mark.sample("mpnet")
def test_tokenize_and_encode_give_what_serving_default_gives(
    other: Path, loaded_other: tfclf.Classifier
) -> None:
    """The padding is on the side that the model needs."""
    classifier = loaded_other
    rows = classifier._functions["tokenize"](text=tf.constant(HEADLINES))
    logits = classifier._functions["encode"](**rows)["logits"]
    if other.parent.name.startswith("xlnet"):
        pytest.skip("the closing token of XLNet is of type 2, and encode has no types")
    np.testing.assert_allclose(logits, classifier(HEADLINES)["logits"], atol=TOLERANCE, rtol=0)


@pytest.mark.sample("gpt2")
def test_a_line_in_the_log_says_why(other: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="tfclf"):
        tfclf.load(other)
    assert "no family is declared for its model_type" in caplog.text
    assert "engine='original'" in caplog.text


@pytest.mark.sample("gpt2")
def test_the_lean_engine_asked_for_by_name_is_refused(other: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"the lean engine cannot run it: no family is declared.*'original'"
    ):
        tfclf.load(other, engine="lean")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_decoder": True}, "is_decoder is true"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'"),
    ],
    ids=["decoder", "activation"],
)
def test_what_the_lean_engine_cannot_run_goes_to_the_original(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], reason: str
) -> None:
    folder = tiny_checkpoint(tmp_path, "bert", num_hidden_layers=1, **changes)
    classifier = tfclf.load(folder)
    assert classifier.manifest.engine == "original"
    assert reason in caplog.text
    np.testing.assert_allclose(
        classifier(HEADLINES)["logits"], _run_reference(folder, HEADLINES), atol=TOLERANCE, rtol=0
    )


def test_bfloat16_of_what_only_the_original_runs_is_refused(tmp_path: Path) -> None:
    folder = other_checkpoint(tmp_path, "mpnet")
    with pytest.raises(
        InputError, match=r"no family is declared.*float32 only; found precision='bfloat16'"
    ):
        tfclf.load(folder, precision="bfloat16")


@pytest.mark.sample("gpt2")
def test_a_warm_up_of_xla_is_refused_where_the_engine_turns_out_to_have_none(
    other: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"engine='original' has no 'serving_xla' to warm up"):
        tfclf.export(other, tmp_path / "model", xla_warm_up=True)
    assert not (tmp_path / "model").exists()


@pytest.mark.sample("gpt2")
def test_a_ladder_is_refused_where_the_engine_turns_out_to_have_no_use_for_it(
    other: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="which a ladder is for"):
        tfclf.export(other, tmp_path / "model", ladder=Ladder.up_to(512))


def test_rows_have_no_limit_where_neither_model_nor_tokenizer_sets_one(tmp_path: Path) -> None:
    assert open_checkpoint(other_checkpoint(tmp_path, "xlnet")).max_length == 2**31 - 1


def test_positions_behind_the_paddings_count_for_models_without_a_declaration(
    tmp_path: Path,
) -> None:
    assert open_checkpoint(other_checkpoint(tmp_path, "mpnet")).max_length == 128


def test_a_model_that_would_take_padding_for_text_is_refused(tmp_path: Path) -> None:
    folder = other_checkpoint(tmp_path, "gpt2", pad_token_id=None)
    with pytest.raises(
        CheckpointError,
        match=r"pad_token_id is None, and the tokenizer pads with 0.*Set pad_token_id",
    ):
        tfclf.load(folder)


def test_a_tokenizer_without_a_padding_token_is_refused(tmp_path: Path) -> None:
    folder = other_checkpoint(tmp_path, "gpt2")
    edit_json(folder / "tokenizer_config.json", pad_token=None)
    edit_json(folder / "special_tokens_map.json", pad_token=None)
    with pytest.raises(TokenizerError, match="has no pad_token"):
        tfclf.load(folder)


def test_a_model_type_without_a_tf_class_is_refused(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", model_type="modernbert")
    with pytest.raises(
        UnknownFamilyError, match=r"'modernbert', for which transformers 4\.57\S* has no TF class"
    ):
        tfclf.load(own_checkpoint)


@pytest.mark.sample("mpnet")
def test_words_are_explained(live_other: tfclf.Classifier) -> None:
    explanation = live_other.explain("late goal wins the cup!")
    logits = live_other(["late goal wins the cup!", "late wins the cup!"])["logits"].numpy()
    assert [word.text for word in explanation.words][1] == "goal"
    np.testing.assert_allclose(
        list(explanation.words[1].effects.values()), logits[0] - logits[1], atol=TOLERANCE
    )
