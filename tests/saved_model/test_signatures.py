"""The signatures of a SavedModel, read without TensorFlow."""

from pathlib import Path

import pytest
import tensorflow as tf

from samples.checkpoints import DEMO
from tfclf.errors import SavedModelError
from tfclf.saved_model.signatures import Tensor, read_signatures
from tfclf.saved_model.versions import latest_version

VERSION = latest_version(DEMO).folder


def test_they_are_those_that_tensorflow_reads() -> None:
    from tensorflow.python.saved_model import loader_impl

    graph = loader_impl.parse_saved_model(str(VERSION)).meta_graphs[0]
    expected = {
        name: {
            key: tf.as_dtype(tensor.dtype).name
            for key, tensor in {**one.inputs, **one.outputs}.items()
        }
        for name, one in graph.signature_def.items()
        if not name.startswith("__")
    }
    read = read_signatures(VERSION)
    assert {
        name: {key: tensor.dtype for key, tensor in {**one.inputs, **one.outputs}.items()}
        for name, one in read.items()
    } == expected


def test_a_size_that_varies_is_none() -> None:
    signature = read_signatures(VERSION)["serving_default"]
    assert signature.inputs == {"text": Tensor("string", (None,))}
    assert signature.outputs["logits"] == Tensor("float32", (None, 4))


def test_an_unknown_rank_has_no_shape() -> None:
    assert str(Tensor("string", None)) == "string"


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(SavedModelError, match=r"saved_model\.pb is no SavedModel"):
        read_signatures(tmp_path)


def test_a_model_stored_as_text_shows_none(tmp_path: Path) -> None:
    assert read_signatures(tmp_path) == {}
