"""Everything between strings and labels as one tf.Module: what is called in process and what is exported."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import tensorflow as tf

from tfclf.graph.framing import Batch, Frame, to_dense
from tfclf.graph.tracing import shared
from tfclf.graph.windows import further_windows
from tfclf.problem_types import activation_of
from tfclf.saved_model.buckets import Ladder
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.ragged import take_ranges

# Windows that are encoded at once: they are all of full length, and so take as much memory as any rows do.
_WINDOWS = 16

Outputs = Mapping[str, tf.Tensor]


class Engine(Protocol):
    """Rows of token ids to logits."""

    def __call__(self, batch: Batch) -> tf.Tensor:
        """Batch, at least one token a row -> float32[batch, classes]."""

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """int32[batch, length] twice -> float32[batch, classes]."""


@runtime_checkable
class BucketedEngine(Engine, Protocol):
    """An engine whose work XLA can compile."""

    ladder: Ladder

    def encode_bucketed(self, batch: Batch) -> tf.Tensor:
        """As `__call__`, compiled for the shapes of the ladder alone."""


class Graph(tf.Module):
    """Tokenizer, frame, engine and labels; each method is one signature's work.

    Args:
      labels: in the order of the logits.
      problem_type: 'single_label_classification' (softmax), 'multi_label_classification' (sigmoid: each label by
        itself, `label` the top one) or 'regression' (one label; `score` is the value, and there are no
        probabilities).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        frame: Frame,
        engine: Engine,
        *,
        labels: Sequence[str],
        problem_type: str,
    ) -> None:
        super().__init__(name="classifier")
        self._frame = frame
        self._tokenizer = tokenizer
        self._tokens = shared(tokenizer, [tf.TensorSpec([None], tf.string)])
        self._engine = engine
        self._labels = tf.constant(list(labels))
        self._activation = activation_of(problem_type)
        self.problem_type = problem_type

    def classify_text(self, text: tf.Tensor) -> Outputs:
        """string[batch] -> label, score, probabilities, logits."""
        return self._answers(self._engine(self._frame.single(self._tokens(text))))

    @property
    def ladder(self) -> Ladder | None:
        """The shapes that XLA compiles programs for; None where the engine has no part that it can compile."""
        return self._engine.ladder if isinstance(self._engine, BucketedEngine) else None

    def classify_text_xla(self, text: tf.Tensor) -> Outputs:
        """As `classify_text`: tokenized and packed on the CPU, encoded by XLA. For a graph that has a ladder."""
        return self._answers(self._bucketed(self._frame.single(self._tokens(text))))

    def detail_xla(self, text: tf.Tensor) -> Outputs:
        """As `detail`, encoded by XLA."""
        rows = self._frame.single(self._tokens(text))
        return {**self._answers(self._bucketed(rows)), "truncated": rows.truncated}

    def _bucketed(self, rows: Batch) -> tf.Tensor:
        assert isinstance(self._engine, BucketedEngine)
        return self._engine.encode_bucketed(rows)

    def classify_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        """string[batch] twice -> label, score, probabilities, logits."""
        return self._answers(self._engine(self._paired(text, text_pair)))

    def detail(self, text: tf.Tensor) -> Outputs:
        """string[batch] -> label, score, probabilities, logits, truncated bool[batch]."""
        rows = self._frame.single(self._tokens(text))
        return {**self._answers(self._engine(rows)), "truncated": rows.truncated}

    def detail_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        """string[batch] twice -> label, score, probabilities, logits, truncated bool[batch]."""
        rows = self._paired(text, text_pair)
        return {**self._answers(self._engine(rows)), "truncated": rows.truncated}

    def classify_windows(self, text: tf.Tensor, stride: tf.Tensor) -> Outputs:
        """string[batch], int32[batch] -> label, score, probabilities, logits, windows int32[batch].

        A text that is too long is read in windows of as many tokens as a row holds, each sharing `stride` tokens
        with the one before. Its logits are the windows' mean, each weighted by the tokens of text in it. A text
        that fits is one window: its logits are those of `classify_text`.
        """
        stride = self._checked(stride, text)
        tokens = self._tokens(text)
        rows = self._frame.single(tokens)
        first = self._engine(rows)
        lengths = tokens.row_lengths()
        room = self._frame.room
        further = further_windows(lengths, room=room, stride=stride, from_end=self._frame.cuts_left)
        batch = tf.size(lengths)

        def add(done: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            row, start, length = (values[done : done + _WINDOWS] for values in further)
            window = take_ranges(tokens.values, tf.gather(tokens.row_splits, row) + start, length)
            logits = self._engine(self._frame.single(window))
            weighted = logits * tf.cast(length, tf.float32)[:, tf.newaxis]
            return done + _WINDOWS, total + tf.math.unsorted_segment_sum(weighted, row, batch)

        weight = tf.minimum(lengths, room)
        _, total = tf.while_loop(
            lambda done, _: done < tf.size(further.row),
            add,
            (tf.constant(0), first * tf.cast(weight, tf.float32)[:, tf.newaxis]),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, len(self._labels)])),
            parallel_iterations=1,
        )
        weight += tf.math.unsorted_segment_sum(further.length, further.row, batch)
        mean = total / tf.cast(tf.maximum(weight, 1), tf.float32)[:, tf.newaxis]
        logits = tf.where(rows.truncated[:, tf.newaxis], mean, first)
        windows = 1 + tf.math.unsorted_segment_sum(tf.ones_like(further.row), further.row, batch)
        return {**self._answers(logits), "windows": windows}

    def _checked(self, stride: tf.Tensor, text: tf.Tensor) -> tf.Tensor:
        same = _assert_as_many(
            text, stride, "text and stride must have as many rows as one another"
        )
        room = self._frame.room
        fits = tf.debugging.Assert(
            tf.reduce_all((stride >= 0) & (stride < room)),
            [
                f"stride must be at least 0 and below {room}, the tokens of text in a window; found:",
                stride,
            ],
        )
        with tf.control_dependencies([same, fits]):
            return tf.identity(stride)

    def _paired(self, text: tf.Tensor, text_pair: tf.Tensor) -> Batch:
        same = _assert_as_many(
            text, text_pair, "text and text_pair must have as many rows as one another"
        )
        with tf.control_dependencies([same]):
            return self._frame.pair(self._tokens(text), self._tokens(text_pair))

    def classify_examples(self, inputs: tf.Tensor) -> Outputs:
        """string[batch] of serialized tf.Example with the feature `text` -> classes, scores."""
        probabilities = self.classify_text(_example_text(inputs))["probabilities"]
        classes = tf.broadcast_to(self._labels, tf.shape(probabilities))
        return {"classes": classes, "scores": probabilities}

    def regress_examples(self, inputs: tf.Tensor) -> Outputs:
        """string[batch] of serialized tf.Example with the feature `text` -> outputs float32[batch, 1]."""
        return {"outputs": self.classify_text(_example_text(inputs))["logits"]}

    def tokenize(self, text: tf.Tensor) -> Outputs:
        """string[batch] -> input_ids, attention_mask."""
        rows = self._frame.single(self._tokens(text)).input_ids
        input_ids, attention_mask = to_dense(
            rows, pad_id=self._frame.pad_id, side=self._frame.padding_side
        )
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def count_tokens(self, text: str) -> int:
        """Of one text, special tokens included; at most the limit."""
        return int(tf.size(self.tokenize(tf.constant([text]))["input_ids"]))

    def encode(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> Outputs:
        """int32[batch, length] twice -> logits, probabilities."""
        logits = self._engine.encode_dense(input_ids, attention_mask)
        return {"logits": logits, **self._probabilities(logits)}

    def _answers(self, logits: tf.Tensor) -> Outputs:
        shares = self._probabilities(logits)
        return {
            # Of a regression the one label stays beside the value: it says what is measured.
            "label": tf.gather(self._labels, tf.argmax(logits, axis=1, output_type=tf.int32)),
            "score": tf.reduce_max(shares["probabilities"], axis=1) if shares else logits[:, 0],
            **shares,
            "logits": logits,
        }

    def _probabilities(self, logits: tf.Tensor) -> Outputs:
        return {} if self._activation is None else {"probabilities": self._activation(logits)}


def _example_text(inputs: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]


def _assert_as_many(one: tf.Tensor, other: tf.Tensor, message: str) -> tf.Operation:
    return tf.debugging.assert_equal(tf.shape(one), tf.shape(other), message=message)
