"""Everything between strings and labels as one tf.Module, called in process and exported."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import tensorflow as tf

from tfclf.explaining import Explainer
from tfclf.graph.framing import Batch, Frame, to_dense
from tfclf.graph.tracing import trace_once
from tfclf.graph.windows import place_further_windows
from tfclf.problem_types import activation_of
from tfclf.saved_model.buckets import Ladder
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.pieces import list_pieces
from tfclf.tokenization.ragged import take_ranges

# Windows encoded at once. All of them are of full length, so this bounds the memory that they take.
_WINDOWS = 16

Outputs = Mapping[str, tf.Tensor]


class Engine(Protocol):
    """Rows of token ids to logits."""

    def __call__(self, batch: Batch) -> tf.Tensor:
        """Encode a Batch, at least one token a row -> float32[batch, classes]."""

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """Encode int32[batch, length] twice -> float32[batch, classes]."""


@runtime_checkable
class BucketedEngine(Engine, Protocol):
    """An engine with an encoder that XLA can compile.

    Attributes:
      ladder: the buckets, which are the only shapes that it compiles programs for; None if it
        compiles none.
    """

    ladder: Ladder | None

    def encode_bucketed(self, batch: Batch) -> tf.Tensor:
        """Encode as `__call__` does, padded to the buckets and compiled."""


class ServingGraph(tf.Module):
    """Tokenizer, frame, engine and labels; each public method computes one signature's outputs.

    The probabilities of a row depend on the problem type, as `problem_types` says: a regression has
    none, and its `score` is the value. The variable `temperature` divides the logits before the
    activation. It is 1 here, and `calibrate` sets it in the file of an export. The label follows
    from the logits themselves, so no temperature changes it.

    Args:
      labels: in the order of the logits.
      problem_type: 'single_label_classification', 'multi_label_classification' or 'regression'.
      takes_pairs: whether the model has every token type that the tokenizer gives to two texts.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        frame: Frame,
        engine: Engine,
        *,
        labels: Sequence[str],
        problem_type: str,
        takes_pairs: bool = True,
    ) -> None:
        super().__init__(name="classifier")
        self._frame = frame
        self._tokenizer = tokenizer
        text, stride = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)
        self._to_ids = trace_once(tokenizer, [text])
        # Each is called by its own signature, and by the one that explains its answer.
        self._detail: Callable[..., Outputs] = trace_once(self._trace_detail, [text])
        self._detail_pairs: Callable[..., Outputs] = trace_once(
            self._trace_detail_pairs, [text, text]
        )
        self._windows: Callable[..., Outputs] = trace_once(self._trace_windows, [text, stride])
        self._explainer = Explainer(max_length=frame.max_length, from_end=frame.truncates_left)
        self._engine = engine
        self._labels = tf.constant(list(labels))
        self._activation = activation_of(problem_type)
        if self._activation is not None:
            # A variable, and not a constant: an export's file holds it in one place.
            self.temperature = tf.Variable(1.0, trainable=False, name="temperature")
        self.problem_type = problem_type
        self.takes_pairs = takes_pairs

    def classify_text(self, text: tf.Tensor) -> Outputs:
        """Classify string[batch] -> label, score, probabilities, logits."""
        return self._make_outputs(self._encode(self._frame.pack(self._to_ids(text))))

    @property
    def ladder(self) -> Ladder | None:
        """The buckets that XLA compiles programs for; None if the engine has no such part."""
        return self._engine.ladder if isinstance(self._engine, BucketedEngine) else None

    def classify_text_xla(self, text: tf.Tensor) -> Outputs:
        """Classify as `classify_text`, encoded by XLA; tokenizing and packing stay on the CPU.

        Only a graph that has a `ladder` can do this.
        """
        return self._make_outputs(self._encode_bucketed(self._frame.pack(self._to_ids(text))))

    def detail_xla(self, text: tf.Tensor) -> Outputs:
        """Classify as `detail`, encoded by XLA."""
        rows = self._frame.pack(self._to_ids(text))
        outputs = self._make_outputs(self._encode_bucketed(rows))
        return {**outputs, "truncated": rows.truncated}

    def _encode(self, rows: Batch) -> tf.Tensor:
        return self._engine(self._frame.fill_empty_rows(rows))

    def _encode_bucketed(self, rows: Batch) -> tf.Tensor:
        assert isinstance(self._engine, BucketedEngine)
        return self._engine.encode_bucketed(self._frame.fill_empty_rows(rows))

    def classify_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        """Classify string[batch] twice -> label, score, probabilities, logits."""
        return self._make_outputs(self._encode(self._pack_pairs(text, text_pair)))

    def detail(self, text: tf.Tensor) -> Outputs:
        """Classify string[batch] -> label, score, probabilities, logits, truncated bool[batch]."""
        return self._detail(text)

    def _trace_detail(self, text: tf.Tensor) -> Outputs:
        rows = self._frame.pack(self._to_ids(text))
        return {**self._make_outputs(self._encode(rows)), "truncated": rows.truncated}

    def detail_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        """Classify string[batch] twice -> as `detail`."""
        return self._detail_pairs(text, text_pair)

    def _trace_detail_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        rows = self._pack_pairs(text, text_pair)
        return {**self._make_outputs(self._encode(rows)), "truncated": rows.truncated}

    def classify_windows(self, text: tf.Tensor, stride: tf.Tensor) -> Outputs:
        """Classify string[batch], int32[batch] -> as `classify_text`, and windows int32[batch].

        A text that is too long is read in windows that hold as many tokens as a row; each shares
        `stride` tokens with the one before. The text's logits are the mean of its windows' logits,
        weighted by the tokens of text in each:

            budget 4, stride 1, 10 tokens    windows 0-3, 3-6, 6-9, weights 4, 4, 4
            logits                           (4 * first + 4 * second + 4 * third) / 12

        A text that fits is one window: its logits are those of `classify_text`.
        """
        return self._windows(text, stride)

    def _trace_windows(self, text: tf.Tensor, stride: tf.Tensor) -> Outputs:
        stride = self._check_stride(stride, text)
        tokens = self._to_ids(text)
        rows = self._frame.pack(tokens)
        first = self._encode(rows)
        lengths = tokens.row_lengths()
        budget = self._frame.budget
        further = place_further_windows(
            lengths, budget=budget, stride=stride, from_end=self._frame.truncates_left
        )
        batch = tf.size(lengths)

        def add_windows(done: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # The next _WINDOWS windows, of any rows: total[row] += length * logits of the window.
            row, start, length = (values[done : done + _WINDOWS] for values in further)
            window = take_ranges(tokens.values, tf.gather(tokens.row_splits, row) + start, length)
            logits = self._encode(self._frame.pack(window))
            weighted = logits * tf.cast(length, tf.float32)[:, tf.newaxis]
            return done + _WINDOWS, total + tf.math.unsorted_segment_sum(weighted, row, batch)

        weight = tf.minimum(lengths, budget)
        _, total = tf.while_loop(
            lambda done, _: done < tf.size(further.row),
            add_windows,
            (tf.constant(0), first * tf.cast(weight, tf.float32)[:, tf.newaxis]),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, len(self._labels)])),
            parallel_iterations=1,
        )
        weight += tf.math.unsorted_segment_sum(further.length, further.row, batch)
        mean = total / tf.cast(tf.maximum(weight, 1), tf.float32)[:, tf.newaxis]
        logits = tf.where(rows.truncated[:, tf.newaxis], mean, first)
        windows = 1 + tf.math.unsorted_segment_sum(tf.ones_like(further.row), further.row, batch)
        return {**self._make_outputs(logits), "windows": windows}

    def explain(self, text: tf.Tensor) -> Outputs:
        """Classify string[batch] -> as `detail`, and the effect of each word: see `Explainer`."""
        return self._explainer.explain(self._detail, [text])

    def explain_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        """Classify string[batch] twice -> as `explain`, for the words of both texts."""
        return self._explainer.explain(self._detail_pairs, [text, text_pair])

    def explain_windows(self, text: tf.Tensor, stride: tf.Tensor) -> Outputs:
        """Classify string[batch], int32[batch] -> as `classify_windows`, and each word's effect."""
        return self._explainer.explain(self._windows, [text], [stride])

    def _check_stride(self, stride: tf.Tensor, text: tf.Tensor) -> tf.Tensor:
        same = _assert_same_shape(
            text, stride, "text and stride must have as many rows as one another"
        )
        budget = self._frame.budget
        expected = (
            f"stride must be at least 0 and below {budget}, the tokens of text in a window; found:"
        )
        fits = tf.debugging.Assert(
            tf.reduce_all((stride >= 0) & (stride < budget)), [expected, stride]
        )
        with tf.control_dependencies([same, fits]):
            return tf.identity(stride)

    def _pack_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Batch:
        same = _assert_same_shape(
            text, text_pair, "text and text_pair must have as many rows as one another"
        )
        with tf.control_dependencies([same]):
            return self._frame.pack_pairs(self._to_ids(text), self._to_ids(text_pair))

    def classify_examples(self, inputs: tf.Tensor) -> Outputs:
        """Classify serialized tf.Examples by feature `text`, string[batch] -> classes, scores."""
        probabilities = self.classify_text(_parse_examples(inputs))["probabilities"]
        classes = tf.broadcast_to(self._labels, tf.shape(probabilities))
        return {"classes": classes, "scores": probabilities}

    def regress_examples(self, inputs: tf.Tensor) -> Outputs:
        """Score serialized tf.Examples by feature `text`, string[batch] -> outputs [batch, 1]."""
        return {"outputs": self.classify_text(_parse_examples(inputs))["logits"]}

    def tokenize(self, text: tf.Tensor) -> Outputs:
        """Tokenize string[batch] -> input_ids, attention_mask, int32[batch, length] each."""
        rows = self._frame.pack(self._to_ids(text)).input_ids
        input_ids, attention_mask = to_dense(
            rows, pad_id=self._frame.pad_id, side=self._frame.padding_side
        )
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def list_pieces(self) -> list[str | None]:
        """List the tokenizer's pieces in the order of their ids; None for an id without one."""
        return list_pieces(self._tokenizer.spec)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of one text, special tokens included, after truncation."""
        return int(tf.size(self.tokenize(tf.constant([text]))["input_ids"]))

    def encode(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> Outputs:
        """Encode int32[batch, length] twice -> logits, probabilities."""
        same = _assert_same_shape(
            input_ids, attention_mask, "input_ids and attention_mask must have the same shape"
        )
        with tf.control_dependencies([same]):
            input_ids = tf.identity(input_ids)
        logits = self._engine.encode_dense(input_ids, attention_mask)
        return {"logits": logits, **self._activate(logits)}

    def _make_outputs(self, logits: tf.Tensor) -> Outputs:
        activated = self._activate(logits)
        # A regression keeps its single label: it names the quantity.
        label = tf.gather(self._labels, tf.argmax(logits, axis=1, output_type=tf.int32))
        score = tf.reduce_max(activated["probabilities"], axis=1) if activated else logits[:, 0]
        return {"label": label, "score": score, **activated, "logits": logits}

    def _activate(self, logits: tf.Tensor) -> Outputs:
        """Return the output `probabilities`, or no output for a regression."""
        if self._activation is None:
            return {}
        return {"probabilities": self._activation(logits / self.temperature)}


def _parse_examples(inputs: tf.Tensor) -> tf.Tensor:
    """Return the feature `text` of serialized tf.Examples, string[batch].

    >>> text = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"news"]))
    >>> example = tf.train.Example(features=tf.train.Features(feature={"text": text}))
    >>> _parse_examples(tf.constant([example.SerializeToString()])).numpy()
    array([b'news'], dtype=object)
    """
    return tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]


def _assert_same_shape(one: tf.Tensor, other: tf.Tensor, message: str) -> tf.Operation:
    return tf.debugging.assert_equal(tf.shape(one), tf.shape(other), message=message)
