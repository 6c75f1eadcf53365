"""Classifier: strings in, labels and scores out, from a live graph or an exported one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import tensorflow as tf

from tfclf.errors import InputError
from tfclf.manifest import Manifest
from tfclf.prediction import Prediction
from tfclf.progress import shown
from tfclf.text_input import as_text_tensor, check_several

_BATCH = 32


class Classifier(tf.Module):
    """A text classifier.

    >>> clf = tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news")
    >>> clf.predict(["Ceasefire talks resume after a night of shelling"])[0].label
    'World'

    It is called like a tf.function, and may stand inside another one or in `tf.data.Dataset.map`:
    string[batch] -> label string[batch], score float32[batch], probabilities and logits float32[batch, classes].

    Attributes:
      manifest: family, engine, precision and, of an export, its certificate.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Mapping[str, tf.Tensor]]],
        manifest: Manifest,
        *,
        owner: Any,
    ) -> None:
        super().__init__(name="tfclf")
        self._functions = dict(functions)
        self._owner = owner  # keeps variables and tables alive
        self.manifest = manifest

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of `probabilities` and `logits`."""
        return self.manifest.labels

    @property
    def max_length(self) -> int:
        """Tokens in a row, special tokens included; longer texts are cut."""
        return self.manifest.max_length

    @tf.autograph.experimental.do_not_convert
    def __call__(self, texts: Any) -> dict[str, tf.Tensor]:
        """string[batch], or a list of str -> the outputs of the signature `serving_default`.

        Raises: InputError for anything but text.
        """
        return dict(self._functions["serving_default"](text=as_text_tensor(texts)))

    @tf.autograph.experimental.do_not_convert
    def call_pairs(self, texts: Any, text_pairs: Any) -> dict[str, tf.Tensor]:
        """Two texts a row -> the outputs of the signature `pairs`.

        Raises: InputError for anything but text.
        """
        first, second = as_text_tensor(texts), as_text_tensor(text_pairs, name="text_pairs")
        return dict(self._functions["pairs"](text=first, text_pair=second))

    @tf.autograph.experimental.do_not_convert
    def call_encode(self, input_ids: Any, attention_mask: Any) -> dict[str, tf.Tensor]:
        """int32[batch, length] twice -> the outputs of the signature `encode`: logits, probabilities."""
        ids, mask = tf.cast(input_ids, tf.int32), tf.cast(attention_mask, tf.int32)
        return dict(self._functions["encode"](input_ids=ids, attention_mask=mask))

    @tf.autograph.experimental.do_not_convert
    def tokenize(self, texts: Any) -> tf.RaggedTensor:
        """string[batch] -> int32[batch, (tokens)], special tokens and truncation included.

        Raises: InputError for anything but text.
        """
        rows = self._functions["tokenize"](text=as_text_tensor(texts))
        return tf.ragged.boolean_mask(rows["input_ids"], tf.cast(rows["attention_mask"], tf.bool))

    # What the overlap warns of is meant: a list is typed as one only where the caller can see that it is.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self, texts: Sequence[str], *, batch_size: int = _BATCH, progress: bool = False
    ) -> list[Prediction]: ...
    @overload
    def predict(
        self, texts: Iterable[str], *, batch_size: int = _BATCH, progress: bool = False
    ) -> Iterator[Prediction]: ...
    def predict(
        self, texts: Iterable[str], *, batch_size: int = _BATCH, progress: bool = False
    ) -> list[Prediction] | Iterator[Prediction]:
        """One `Prediction` a text, in order.

        Args:
          texts: of a list comes a list; of any other iterable an iterator that reads as it goes, in constant memory.
          batch_size: rows in one call of the graph.
          progress: shows a bar on standard error, once it takes longer than a second.
        Raises: InputError for anything but text, naming its index.
        """
        check_several(texts)
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size is {batch_size!r}; expected a whole number above 0.")
        known = isinstance(texts, Sequence)
        total = len(texts) if isinstance(texts, Sequence) else None
        predictions = self._predict(iter(texts), batch_size)
        if progress:
            predictions = shown(predictions, total=total, unit="texts")
        return list(predictions) if known else predictions

    def _predict(self, texts: Iterator[str], batch_size: int) -> Iterator[Prediction]:
        done = 0
        while batch := list(itertools.islice(texts, batch_size)):
            try:
                tensor = as_text_tensor(batch)
            except InputError as error:
                raise InputError(f"in the batch that starts at text {done}: {error}") from None
            answers = self(tensor)
            rows = zip(
                answers["label"].numpy(),
                answers["score"].numpy(),
                answers["probabilities"].numpy(),
                strict=True,
            )
            for label, score, probabilities in rows:
                by_label = dict(zip(self.labels, probabilities.tolist(), strict=True))
                yield Prediction(label=label.decode(), score=float(score), probabilities=by_label)
            done += len(batch)
