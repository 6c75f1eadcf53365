"""An export of tfclf behind an engine, against the same export in this process."""

from collections.abc import Mapping

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from samples.checkpoints import DEMO
from tests.server.conformance.engines import Served
from tests.server.messages import classify_request, predict_request, strings, text_examples
from tfclf.sample_texts import HEADLINES

HOSTILE: Mapping[str, str | bytes] = {
    "empty": "",
    "NUL": "a\0b",
    "only NULs": "\0\0",
    "invalid UTF-8": b"\xff\xfe caf\xc3",
    "lone surrogate bytes": b"\xed\xa0\x80",
    "combining marks": "\u0301\u0302\u0303",
    "marks out of order": "a\u0315\u0300\u05ae",
    "right to left": "\u202eabc\u202c \u05d0\u05d1",
    "emoji with joiners": "\U0001f469\u200d\U0001f469\u200d\U0001f466",
    "private use and unassigned": "\ue000\U000e0fff\u0378",
    "one long word": "a" * 5_000,
    "many words": "word " * 2_000,
    "special tokens": "[CLS] [SEP] [PAD] [MASK] [UNK]",
    "line ends": "a\r\nb\u2028c\x0b\x0c",
}


@pytest.fixture(scope="module")
def in_process() -> tfclf.Classifier:
    return tfclf.load(DEMO)


def _check_same(served: Served, in_process: tfclf.Classifier, texts: list[str | bytes]) -> None:
    outputs = served.stub.Predict(
        predict_request({"text": strings(*texts)}, model="demo"), timeout=60
    ).outputs
    expected = in_process(tf.constant(texts, tf.string, [len(texts)]))
    assert [*outputs["label"].string_val] == expected["label"].numpy().tolist()
    np.testing.assert_allclose(
        tf.make_ndarray(outputs["logits"]), expected["logits"].numpy(), atol=1e-5
    )


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 33, 200])
def test_a_batch_is_answered_as_in_process(
    served: Served, in_process: tfclf.Classifier, rows: int
) -> None:
    _check_same(served, in_process, [HEADLINES[row % len(HEADLINES)] for row in range(rows)])


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_answered_as_in_process(
    served: Served, in_process: tfclf.Classifier, kind: str
) -> None:
    _check_same(served, in_process, [HOSTILE[kind], HEADLINES[0]])


def test_many_clients_at_once_get_each_their_own_answer(served: Served) -> None:
    texts = [*HEADLINES, *(f"{headline} again" for headline in HEADLINES)] * 4
    requests = {text: predict_request({"text": strings(text)}, model="demo") for text in texts}
    alone = {
        text: served.stub.Predict(each).outputs["label"].string_val[0]
        for text, each in requests.items()
    }
    calls = [served.stub.Predict.future(requests[text]) for text in texts]
    assert [call.result(timeout=60).outputs["label"].string_val[0] for call in calls] == [
        alone[text] for text in texts
    ]


def test_classify_gives_the_probabilities_of_predict(served: Served) -> None:
    request = classify_request(text_examples(*HEADLINES), "demo", signature="classify")
    rows = served.stub.Classify(request).result.classifications
    predicted = served.stub.Predict(
        predict_request({"text": strings(*HEADLINES)}, model="demo")
    ).outputs
    scores = [[one.score for one in row.classes] for row in rows]
    np.testing.assert_allclose(scores, tf.make_ndarray(predicted["probabilities"]), atol=1e-6)
    best = [max(row.classes, key=lambda one: one.score).label.encode() for row in rows]
    assert best == list(predicted["label"].string_val)


def test_rest_gives_the_labels_of_grpc(served: Served) -> None:
    predicted = served.stub.Predict(
        predict_request({"text": strings(*HEADLINES)}, model="demo")
    ).outputs
    rows = served.rest.post("/v1/models/demo:predict", json={"instances": HEADLINES}).json()[
        "predictions"
    ]
    assert [row["label"].encode() for row in rows] == list(predicted["label"].string_val)
