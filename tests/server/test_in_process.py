"""Served outputs equal those of the SavedModel in process, whatever the text."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.conftest import Predict, strings

InProcess = Callable[[Sequence[bytes]], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def in_process(echo_base: Path) -> InProcess:
    signature = tf.saved_model.load(str(echo_base / "2")).signatures["serving_default"]

    def call(texts: Sequence[bytes]) -> dict[str, np.ndarray]:
        outputs = signature(text=tf.constant(list(texts), tf.string, shape=[len(texts)]))
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return call


def check(predict: Predict, in_process: InProcess, texts: Sequence[bytes]) -> None:
    served = {
        name: tf.make_ndarray(proto)
        for name, proto in predict(inputs={"text": strings(*texts)}).outputs.items()
    }
    expected = in_process(texts)
    assert served.keys() == expected.keys()
    for name, array in expected.items():
        assert served[name].shape == array.shape
        assert served[name].tolist() == array.tolist()


_SETTINGS = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_SETTINGS
@given(texts=st.lists(st.text(), max_size=8))
def test_any_text(predict: Predict, in_process: InProcess, texts: list[str]) -> None:
    check(predict, in_process, [text.encode() for text in texts])


@_SETTINGS
@given(texts=st.lists(st.binary(), max_size=8))
def test_any_bytes(predict: Predict, in_process: InProcess, texts: list[bytes]) -> None:
    check(predict, in_process, texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [b""],
        [b"\0"],
        [b"a\0", b"\0a", b"a\0\0"],
        [b"\xff\xfe"],
        ["\u0301".encode()],
        [b"x" * 10_000_000],
    ],
    ids=["empty batch", "empty", "NUL", "NUL at the ends", "not UTF-8", "lone mark", "10 MB"],
)
def test_hostile_text(predict: Predict, in_process: InProcess, texts: list[bytes]) -> None:
    check(predict, in_process, texts)


def test_many_requests_at_once(predict: Predict, in_process: InProcess) -> None:
    batches = [[f"text {batch} {row}".encode() for row in range(batch % 7)] for batch in range(200)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda texts: check(predict, in_process, texts), batches))
