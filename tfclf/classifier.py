"""Classifier: strings in, labels and scores out, from a live graph or an exported one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import tensorflow as tf

from tfclf.errors import InputError
from tfclf.inputs import as_pairs, as_text_tensor, check_several, paired
from tfclf.prediction import Prediction, predictions_of
from tfclf.progress import shown
from tfclf.saved_model import signature_names as names
from tfclf.saved_model.buckets import compose_text
from tfclf.saved_model.manifest import Manifest

LONG = ("truncate", "windows")
_BATCH = 32

_Answers = Mapping[str, Iterable[Any]]  # by output, one entry a row
_Reader = Callable[..., _Answers]


class Classifier(tf.Module):
    """A text classifier.

    >>> clf = tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news")
    >>> clf.predict(["Ceasefire talks resume after a night of shelling"])[0].label
    'World'

    It is called like a tf.function, and may stand inside another one or in `tf.data.Dataset.map`:
    string[batch] -> label string[batch], score float32[batch], probabilities and logits float32[batch, classes].
    Of a regression `score` is the value, and there are no probabilities.

    Attributes:
      manifest: family, engine, precision and, of an export, its certificate.
      xla: whether calls are answered by the signature `serving_xla`.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Mapping[str, tf.Tensor]]],
        manifest: Manifest,
        *,
        owner: Any,
        xla: bool | None = None,
    ) -> None:
        super().__init__(name="tfclf")
        self._functions = dict(functions)
        self._owner = owner  # keeps variables and tables alive
        self.manifest = manifest
        self.xla = _picks_xla(
            xla, available=names.SERVING_XLA in self._functions, manifest=manifest
        )

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
        return dict(
            self._functions[names.SERVING_XLA if self.xla else names.SERVING_DEFAULT](
                text=as_text_tensor(texts)
            )
        )

    @tf.autograph.experimental.do_not_convert
    def call_pairs(self, texts: Any, text_pairs: Any) -> dict[str, tf.Tensor]:
        """Two texts a row -> the outputs of the signature `pairs`.

        Raises: InputError for anything but text.
        """
        first, second = as_text_tensor(texts), as_text_tensor(text_pairs, name="text_pairs")
        return dict(self._functions[names.PAIRS](text=first, text_pair=second))

    @tf.autograph.experimental.do_not_convert
    def call_encode(self, input_ids: Any, attention_mask: Any) -> dict[str, tf.Tensor]:
        """int32[batch, length] twice -> the outputs of the signature `encode`: logits, probabilities."""
        ids, mask = tf.cast(input_ids, tf.int32), tf.cast(attention_mask, tf.int32)
        return dict(self._functions[names.ENCODE](input_ids=ids, attention_mask=mask))

    @tf.autograph.experimental.do_not_convert
    def tokenize(self, texts: Any) -> tf.RaggedTensor:
        """string[batch] -> int32[batch, (tokens)], special tokens and truncation included.

        Raises: InputError for anything but text.
        """
        rows = self._functions[names.TOKENIZE](text=as_text_tensor(texts))
        return tf.ragged.boolean_mask(rows["input_ids"], tf.cast(rows["attention_mask"], tf.bool))

    def warm_up(self) -> None:
        """Lets the first callers not wait: compiles the usual rungs of XLA's ladder, where calls go there.

        That takes seconds a rung; the other rungs are compiled when a batch first needs them. Without XLA it
        is one call with a text and one with a batch.
        """
        ladder = self.manifest.ladder
        rungs = ladder.usual_buckets if self.xla and ladder else ((1, 2), (_BATCH, 2))
        for rows, length in rungs:
            self([compose_text(length, self._count_tokens)] * rows)

    def _count_tokens(self, text: str) -> int:
        return int(self.tokenize([text]).row_lengths()[0])

    # What the overlap warns of is meant: a list is typed as one only where the caller can see that it is.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = _BATCH,
        progress: bool = False,
    ) -> Prediction: ...
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: Sequence[str],
        *,
        pairs: Iterable[str] | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = _BATCH,
        progress: bool = False,
    ) -> list[Prediction]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = _BATCH,
        progress: bool = False,
    ) -> Iterator[Prediction]: ...
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = _BATCH,
        progress: bool = False,
    ) -> Prediction | list[Prediction] | Iterator[Prediction]:
        """One `Prediction` a text, in order.

        Args:
          texts: of one str comes its prediction; of a list comes a list; of any other iterable an iterator that reads
            as it goes, in constant memory.
          pairs: the second text of each row, as many as there are texts; read as it goes, like them; of one str one.
          long: what becomes of a text that is too long: 'truncate' cuts it as in training; 'windows' reads all of
            it in overlapping windows and gives the mean of their logits, each weighted by the tokens of text in it
            (so that tokens which two windows share count twice). A text that fits gets the same answer either way.
          stride: tokens that a window shares with the one before; a quarter of `max_length` by default.
          batch_size: rows in one call of the graph.
          progress: shows a bar on standard error, once it takes longer than a second.
        Raises: InputError for anything but text, naming its index; for more texts than pairs or fewer; for options
          that do not exist or do not go together.
        """
        if isinstance(texts, str):
            (one,) = self.predict(
                [texts],
                pairs=as_pairs(pairs),
                long=long,
                stride=stride,
                batch_size=batch_size,
                progress=progress,
            )
            return one
        check_several(texts)
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size is {batch_size!r}; expected a whole number above 0.")
        answer = self._reader(paired=pairs is not None, long=long, stride=stride)
        total = len(texts) if isinstance(texts, Sequence) else None
        rows = paired(texts, pairs) if pairs is not None else zip(texts, strict=True)
        predictions = self._predict(rows, batch_size, answer)
        if progress:
            predictions = shown(predictions, total=total, unit="texts")
        return predictions if total is None else list(predictions)

    def _predict(
        self, rows: Iterator[tuple[str, ...]], batch_size: int, answer: _Reader
    ) -> Iterator[Prediction]:
        done = 0
        while batch := list(itertools.islice(rows, batch_size)):
            columns = zip(("texts", "pairs"), zip(*batch, strict=True), strict=False)
            try:
                tensors = [as_text_tensor(column, name=name) for name, column in columns]
            except InputError as error:
                raise InputError(f"in the batch that starts at text {done}: {error}") from None
            yield from predictions_of(answer(*tensors), self.labels)
            done += len(batch)

    def _reader(self, *, paired: bool, long: str, stride: int | None) -> _Reader:
        """What answers a batch: outputs by name, as arrays or lists, one entry a row."""
        if long not in LONG:
            raise InputError(f"long is {long!r}; expected {' or '.join(map(repr, LONG))}.")
        if long == "truncate":
            if stride is not None:
                raise InputError(
                    f"stride is {stride!r} and long is 'truncate'; a stride is for long='windows'."
                )
            return self._detail_pairs if paired else self._detail
        if paired:
            raise InputError(
                "long='windows' and pairs are given; windows are for single texts. Leave out one of them."
            )
        return functools.partial(self._windows, stride=self._checked_stride(stride))

    def _checked_stride(self, stride: int | None) -> int:
        if names.WINDOWS not in self._functions:
            raise InputError(
                f"{self.manifest.name} is an export of an older version, which cannot read windows. Export it again."
            )
        if stride is None:
            return self.max_length // 4
        room = self.max_length - int(self.tokenize([""]).row_lengths()[0])
        if isinstance(stride, bool) or not isinstance(stride, int) or not 0 <= stride < room:
            raise InputError(
                f"stride is {stride!r}; expected a whole number from 0 to {room - 1}: a window holds {room} tokens of "
                f"text."
            )
        return stride

    def _detail(self, texts: tf.Tensor) -> _Answers:
        detail = names.DETAIL_XLA if self.xla else names.DETAIL
        if detail in self._functions:
            return _arrays(self._functions[detail](text=texts))
        # An export of an older version: of a row that is as long as it may be nobody knows whether it was cut.
        full = self.tokenize(texts).row_lengths().numpy() >= self.max_length
        return {**_arrays(self(texts)), "truncated": [None if row else False for row in full]}

    def _detail_pairs(self, texts: tf.Tensor, pairs: tf.Tensor) -> _Answers:
        if names.DETAIL_PAIRS in self._functions:
            return _arrays(self._functions[names.DETAIL_PAIRS](text=texts, text_pair=pairs))
        return {**_arrays(self.call_pairs(texts, pairs)), "truncated": itertools.repeat(None)}

    def _windows(self, texts: tf.Tensor, *, stride: int) -> _Answers:
        strides = tf.fill(tf.shape(texts), stride)
        return {
            **_arrays(self._functions[names.WINDOWS](text=texts, stride=strides)),
            "truncated": itertools.repeat(False),
        }


def _arrays(answers: Mapping[str, tf.Tensor]) -> _Answers:
    return {name: values.numpy().tolist() for name, values in answers.items()}


def _picks_xla(asked: bool | None, *, available: bool, manifest: Manifest) -> bool:
    if asked not in (None, True, False):
        raise InputError(
            f"xla is {asked!r}; expected True, False, or None: where TensorFlow sees a GPU."
        )
    if asked and not available:
        raise InputError(
            f"xla is asked for, and {manifest.name} has no signature {names.SERVING_XLA!r} "
            f"(engine {manifest.engine!r}, made with "
            f"tfclf {manifest.versions.get('tfclf', 'of an unknown version')}). "
            f"Expected an export of the lean engine "
            f"by this version of tfclf: export the checkpoint again, or leave xla=True (--xla) out."
        )
    return available and bool(tf.config.list_physical_devices("GPU") if asked is None else asked)
