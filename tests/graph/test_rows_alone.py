"""A row's outputs are its own, whatever rows and requests share its batch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import tfclf
from samples.checkpoints import (
    edit_json,
    other_checkpoint,
    remove_special_tokens,
    tiny_checkpoint,
)
from tests.conftest import Once
from tests.signatures import few_signatures
from tfclf._transformers import transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve

TOLERANCE = 1e-5
# No tokens; [PAD], which GPT-2 looks for; [SEP], which closes BART's rows; and text.
TEXTS = ("", "\x07\u200b\x00", "[PAD] news", "a [SEP] b", "news", *HEADLINES[:2], "news " * 40)
MODELS = ("lean", "original", "bart", "gpt2")
_rows = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12)
_few = settings(max_examples=12)
_sampled = pytest.mark.sample("lean", "bart", "gpt2")


def _make_checkpoint(folder: Path, model: str) -> Path:
    if model in ("bart", "gpt2"):
        other_checkpoint(folder, model)
        edit_json(folder / "tokenizer_config.json", model_max_length=64)
        # BART refuses rows without a closing token, even alone.
        return folder if model == "bart" else remove_special_tokens(folder)
    edit_json(tiny_checkpoint(folder) / "tokenizer_config.json", model_max_length=64)
    return remove_special_tokens(folder)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def folder(model: str, once: Once) -> Path:
    return once(f"alone_{model}", lambda folder: _make_checkpoint(folder / "one", model)) / "one"


@pytest.fixture(scope="module")
def loaded(model: str, folder: Path) -> tfclf.Classifier:
    return tfclf.load(folder, engine="lean" if model == "lean" else "original")


@pytest.fixture(scope="module")
def alone(loaded: tfclf.Classifier) -> dict[str, np.ndarray]:
    return {text: loaded([text])["logits"].numpy()[0] for text in TEXTS}


def _stack(alone: dict[str, np.ndarray], texts: Sequence[str]) -> np.ndarray:
    return np.stack([alone[text] for text in texts])


@_sampled
@_few
@given(texts=_rows)
def test_a_row_answers_in_any_batch_as_alone(
    loaded: tfclf.Classifier, alone: dict[str, np.ndarray], texts: list[str]
) -> None:
    np.testing.assert_allclose(
        loaded(texts)["logits"], _stack(alone, texts), atol=TOLERANCE, rtol=0
    )


@_sampled
def test_a_row_alone_answers_as_the_original_s(folder: Path, alone: dict[str, np.ndarray]) -> None:
    """The reference pads a row without tokens to one."""
    original = open_checkpoint(folder).load_model()
    tokenizer = transformers().AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        tokens = len(tokenizer(text, truncation=True, max_length=64)["input_ids"])
        inputs = tokenizer(
            [text],
            truncation=True,
            max_length=max(tokens, 1),
            padding="max_length",
            return_token_type_ids=False,
            return_tensors="tf",
        )
        expected = original(dict(inputs)).logits.numpy()[0]
        np.testing.assert_allclose(alone[text], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.sample("lean", "gpt2")
def test_every_signature_gives_rows_without_tokens_their_own_outputs(
    loaded: tfclf.Classifier, alone: dict[str, np.ndarray]
) -> None:
    texts = tf.constant(["news", "", "", "news " * 40])
    expected = _stack(alone, ["news", "", "", "news " * 40])
    windows = loaded._functions["windows"](text=texts, stride=tf.constant([0] * 4))
    np.testing.assert_allclose(windows["logits"], expected, atol=TOLERANCE, rtol=0)
    if "serving_xla" in loaded._functions:
        compiled = loaded._functions["serving_xla"](text=texts)
        np.testing.assert_allclose(compiled["logits"], expected, atol=TOLERANCE, rtol=0)
    pair = loaded.call_pairs(["", "news"], ["", ""])["logits"].numpy()
    for row, first in enumerate(["", "news"]):
        one = loaded.call_pairs([first], [""])["logits"].numpy()[0]
        np.testing.assert_allclose(pair[row], one, atol=TOLERANCE, rtol=0)


@_sampled
def test_encode_gives_each_row_its_own_outputs(
    model: str, loaded: tfclf.Classifier, alone: dict[str, np.ndarray]
) -> None:
    """The lean engine names rows without tokens; test_encode.py holds that."""
    texts = [text for text in TEXTS if model != "lean" or text not in TEXTS[:2]]
    rows = loaded._functions["tokenize"](text=tf.constant(texts))
    logits = loaded._functions["encode"](**rows)["logits"]
    np.testing.assert_allclose(logits, _stack(alone, texts), atol=TOLERANCE, rtol=0)


@pytest.fixture(scope="module")
def client(model: str, folder: Path, once: Once) -> Iterator[tfclf.Client]:
    engine = "lean" if model == "lean" else "original"

    def make(at: Path) -> None:
        with few_signatures("classify", "detail"):
            tfclf.export(folder, at / "one", engine=engine)

    exports = once(f"alone_{model}_export", make)
    with (
        serve(exports / "one", port=0) as server,
        tfclf.Client(server.address, model="one") as client,
    ):
        yield client


@pytest.mark.sample("lean")
@_few
@given(requests=st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3), max_size=6))
def test_a_row_answers_in_any_server_batch_as_alone(
    client: tfclf.Client, alone: dict[str, np.ndarray], requests: list[list[str]]
) -> None:
    def predict(texts: list[str]) -> list[tfclf.Prediction]:
        return client.predict(texts)

    with ThreadPoolExecutor(6) as threads:
        outputs = list(threads.map(predict, requests))
    for texts, predictions in zip(requests, outputs, strict=True):
        probabilities = [list((one.probabilities or {}).values()) for one in predictions]
        expected = tf.nn.softmax(_stack(alone, texts))
        np.testing.assert_allclose(probabilities, expected, atol=TOLERANCE, rtol=0)
