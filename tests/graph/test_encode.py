"""The signature `encode`: dense ids in, logits out, whatever the padding."""

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from tfclf.sample_texts import HEADLINES


def _encode(classifier: tfclf.Classifier, input_ids: tf.Tensor, mask: tf.Tensor) -> np.ndarray:
    outputs = classifier._functions["encode"](input_ids=input_ids, attention_mask=mask)
    logits: np.ndarray = outputs["logits"].numpy()
    return logits


def test_encode_after_tokenize_is_serving_default(classifier: tfclf.Classifier) -> None:
    rows = classifier._functions["tokenize"](text=tf.constant(HEADLINES))
    logits = _encode(classifier, rows["input_ids"], rows["attention_mask"])
    np.testing.assert_allclose(logits, classifier(HEADLINES)["logits"].numpy(), atol=1e-6)


def test_more_padding_changes_nothing(classifier: tfclf.Classifier) -> None:
    rows = classifier._functions["tokenize"](text=tf.constant(HEADLINES))
    wider = [tf.pad(rows[name], [[0, 0], [0, 7]]) for name in ("input_ids", "attention_mask")]
    np.testing.assert_allclose(
        _encode(classifier, *wider), classifier(HEADLINES)["logits"].numpy(), atol=1e-6
    )


def test_an_empty_batch_gives_no_rows(classifier: tfclf.Classifier) -> None:
    empty = tf.zeros([0, 0], tf.int32)
    assert _encode(classifier, empty, empty).shape == (0, 4)


@pytest.mark.parametrize(
    "mask", [[[1, 1], [0, 0]], [[1, 1], [0, 1]]], ids=["no token", "padding first"]
)
def test_a_row_that_does_not_start_with_a_token_is_refused(
    classifier: tfclf.Classifier, mask: list[list[int]]
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="must start with 1"):
        _encode(classifier, tf.constant([[101, 102], [101, 102]]), tf.constant(mask))


def test_an_id_without_an_embedding_is_refused(classifier: tfclf.Classifier) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="99999"):
        _encode(classifier, tf.constant([[101, 99999]]), tf.constant([[1, 1]]))


@pytest.mark.parametrize(
    "mask",
    [[[1, 1]], [[1], [1]], [[1, 1, 1], [1, 1, 1]], [[1, 1], [1, 1], [1, 1]]],
    ids=["a row less", "a column less", "a column more", "a row more"],
)
def test_a_mask_of_another_shape_is_refused(
    classifier: tfclf.Classifier, mask: list[list[int]]
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have the same shape"):
        _encode(classifier, tf.constant([[101, 102], [101, 102]]), tf.constant(mask))
