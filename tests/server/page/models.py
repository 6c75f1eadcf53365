"""Small models for the page, of every kind that it shows; made on the spot, without weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.pieces import write_pieces

TEXT = tf.TensorSpec([None], tf.string, name="text")
TEXT_PAIR = tf.TensorSpec([None], tf.string, name="text_pair")


PIECES = [None, "[CLS]", "[SEP]", *(f"##{chr(point)}" for point in range(3, 128))]  # of ASCII only


class Guess(tf.Module):
    """A model that scores a label by how often its name is a word of the text."""

    def __init__(self, labels: Sequence[str], *, problem_type: str) -> None:
        super().__init__()
        self.labels = list(labels)
        self.problem_type = problem_type

    @tf.function(input_signature=[TEXT])
    def detail(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {**self._score(text), "truncated": tf.strings.length(text) > 5_000}

    @tf.function(input_signature=[TEXT, TEXT_PAIR])
    def detail_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> dict[str, tf.Tensor]:
        whole = tf.strings.join([text, text_pair], " ")
        return {**self._score(whole), "truncated": tf.strings.length(whole) > 5_000}

    @tf.function(input_signature=[TEXT, TEXT_PAIR])
    def explain_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> dict[str, tf.Tensor]:
        """Explain both texts, for a batch of one row."""
        one, other = self._explain(text), self._explain(text_pair)
        placed = [tf.zeros_like(one["starts"]), tf.ones_like(other["starts"])]
        by_word = {
            name: tf.concat([one[name], other[name]], axis=1)
            for name in ("words", "starts", "ends", "effects")
        }
        count = one["word_count"] + other["word_count"]
        return {**one, **by_word, "word_count": count, "places": tf.concat(placed, axis=1)}

    @tf.function(input_signature=[TEXT])
    def tokenize(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tokenize to characters, without spaces: their code points, between the ids 1 and 2."""
        points = tf.strings.unicode_decode(tf.strings.regex_replace(text, " ", ""), "UTF-8")
        ends = tf.ones([tf.size(text), 1], tf.int32)
        rows = tf.concat([ends, points, 2 * ends], axis=1)
        return {
            "input_ids": rows.to_tensor(),
            "attention_mask": tf.ones_like(rows).to_tensor(),
        }

    @tf.function(input_signature=[TEXT])
    def explain(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._explain(text)

    def _explain(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Explain by length: each word speaks for the first label and against the others."""
        words, starts, ends = tf_text.WhitespaceTokenizer().tokenize_with_offsets(text)
        count = words.row_lengths()
        lengths = tf.cast(tf.strings.length(words.to_tensor(), "UTF8_CHAR"), tf.float32)
        signs = tf.concat([[1.0], tf.fill([len(self.labels) - 1], -0.5)], axis=0)

        def in_characters(offsets: tf.RaggedTensor) -> tf.Tensor:
            whole = tf.repeat(text, count)
            before = tf.strings.substr(
                whole, tf.zeros_like(offsets.flat_values), offsets.flat_values
            )
            characters = offsets.with_flat_values(tf.strings.length(before, "UTF8_CHAR"))
            return characters.to_tensor(default_value=-1)

        return {
            **self._score(text),
            "truncated": tf.zeros_like(count, tf.bool),
            "words": words.to_tensor(),
            "starts": in_characters(starts),
            "ends": in_characters(ends),
            "effects": lengths[..., tf.newaxis] * signs,
            "word_count": tf.cast(count, tf.int32),
        }

    def _score(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        words = tf.strings.split(text).to_tensor()
        counts = tf.equal(words[:, :, tf.newaxis], tf.constant(self.labels))
        logits = tf.reduce_sum(tf.cast(counts, tf.float32), axis=1) * 2 - 1
        if self.problem_type == REGRESSION:
            value = tf.cast(tf.strings.length(text, "UTF8_CHAR"), tf.float32) / 10
            label = tf.fill(tf.shape(text), self.labels[0])
            return {"label": label, "score": value, "logits": value[:, tf.newaxis]}
        sigmoid = self.problem_type == MULTI_LABEL
        probabilities = tf.sigmoid(logits) if sigmoid else tf.nn.softmax(logits)
        label = tf.gather(tf.constant(self.labels), tf.argmax(logits, axis=1))
        score = tf.reduce_max(probabilities, axis=1)
        return {"label": label, "score": score, "probabilities": probabilities, "logits": logits}


def save_guess(
    folder: Path,
    labels: Sequence[str],
    *,
    problem_type: str = SINGLE_LABEL,
    signatures: Sequence[str] = ("detail",),
    pieces: Sequence[str | None] | None = None,
    **manifest: Any,
) -> None:
    """Save a model with the manifest of an export, and the pieces of its ids if they are given."""
    guess = Guess(labels, problem_type=problem_type)
    called = {name: getattr(guess, name) for name in signatures}
    tf.saved_model.save(guess, str(folder), signatures=called)
    if pieces is not None:
        write_pieces(folder, pieces)
    facts = {"family": "bert", "engine": "lean", "precision": "bfloat16", "storage": "bfloat16"}
    Manifest(
        name=folder.parent.name,
        source="nowhere",
        problem_type=problem_type,
        labels=tuple(labels),
        max_length=64,
        **{**facts, **manifest},
    ).write(folder)


def save_numbers(folder: Path) -> None:
    """Save a model that has nothing to do with text, and no manifest."""
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None, 1], tf.float32, "x")]
    )
    tf.saved_model.save(module, str(folder), signatures=module.double)
