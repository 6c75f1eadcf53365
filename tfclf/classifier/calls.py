"""The calls of a model's signatures, with the checks of their arguments."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from tfclf._tensorflow import check_process, quiet_import

with quiet_import():
    import tensorflow as tf

from tfclf.classifier.columns import Columns, Model, make_columns
from tfclf.classifier.explaining import Explain, make_explain
from tfclf.errors import InputError
from tfclf.inputs import as_text_tensor, check_long, check_texts, encode_texts, pair_rows
from tfclf.saved_model import signature_names as names
from tfclf.saved_model.buckets import compose_text
from tfclf.saved_model.manifest import Manifest

BATCH = 32
_Result = TypeVar("_Result")


class ModelCalls(tf.Module):
    """A model's signatures as methods; `Classifier` builds on them.

    Args:
      functions: by signature name.
      owner: keeps variables and tables alive.
      xla: as in `tfclf.load`.
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
        self._process = os.getpid()
        self._functions = dict(functions)
        self._explain_functions: dict[str, Explain] = {}  # made on first use
        self._owner = owner
        self.manifest = manifest
        self.xla = _use_xla(xla, available=names.SERVING_XLA in self._functions, manifest=manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of `probabilities` and `logits`."""
        return self.manifest.labels

    @property
    def max_length(self) -> int:
        """Tokens in the longest row, special tokens included; longer texts are truncated."""
        return self.manifest.max_length

    @property
    def takes_pairs(self) -> bool:
        """Whether it has the signature `pairs`: its model then takes two texts in a row."""
        return names.PAIRS in self._functions

    def _check_pairs(self) -> None:
        if not self.takes_pairs:
            raise InputError(
                f"{self.manifest.name} takes no pairs: its tokenizer gives the second text the "
                f"token type 1, and the model has fewer token types (type_vocab_size in "
                f"config.json). Expected single texts; leave the pairs out."
            )

    @tf.autograph.experimental.do_not_convert
    def __call__(self, texts: Any) -> dict[str, tf.Tensor]:
        """Run the signature `serving_default` on string[batch] or a list of str.

        Raises: InputError for anything but text.
        """
        signature = names.SERVING_XLA if self.xla else names.SERVING_DEFAULT
        return dict(self._choose_function(signature)(text=as_text_tensor(texts)))

    @tf.autograph.experimental.do_not_convert
    def call_pairs(self, texts: Any, text_pairs: Any) -> dict[str, tf.Tensor]:
        """Run the signature `pairs` on two texts per row.

        Raises: InputError for anything but text.
        """
        self._check_pairs()
        function = self._choose_function(names.PAIRS)
        first, second = as_text_tensor(texts), as_text_tensor(text_pairs, name="text_pairs")
        return dict(function(text=first, text_pair=second))

    @tf.autograph.experimental.do_not_convert
    def call_encode(self, input_ids: Any, attention_mask: Any) -> dict[str, tf.Tensor]:
        """Run the signature `encode` on int32[batch, length] twice: logits, probabilities."""
        function = self._choose_function(names.ENCODE)
        ids, mask = tf.cast(input_ids, tf.int32), tf.cast(attention_mask, tf.int32)
        return dict(function(input_ids=ids, attention_mask=mask))

    @tf.autograph.experimental.do_not_convert
    def tokenize(self, texts: Any) -> tf.RaggedTensor:
        """Tokenize string[batch] to int32[batch, (tokens)], with special tokens and truncation.

        Raises: InputError for anything but text.
        """
        rows = self._choose_function(names.TOKENIZE)(text=as_text_tensor(texts))
        return tf.ragged.boolean_mask(rows["input_ids"], tf.cast(rows["attention_mask"], tf.bool))

    def warm_up(self) -> None:
        """Spare the first callers the cold start.

        With XLA, compile the programs of the usual buckets, which takes seconds each; the other
        buckets are compiled when a batch first needs them. Without XLA, run one single text and one
        batch.
        """
        ladder = self.manifest.ladder
        buckets = ladder.usual if self.xla and ladder else ((1, 2), (BATCH, 2))
        for rows, length in buckets:
            self([compose_text(length, self._count_tokens)] * rows)

    def _choose_function(self, signature: str) -> Callable[..., Mapping[str, tf.Tensor]]:
        self._check_process()
        return self._functions[signature]

    def _choose_explain(self, name: str) -> Explain:
        if name not in self._explain_functions:
            self._explain_functions[name] = make_explain(
                self._functions, name, max_length=self.max_length, xla=self.xla
            )
        return self._explain_functions[name]

    def _check_process(self) -> None:
        check_process(self._process, f"{self.manifest.name} was loaded")

    def _count_tokens(self, text: str) -> int:
        return int(self.tokenize([text]).row_lengths()[0])

    def _check_rows(
        self, texts: Iterable[Any], pairs: Iterable[Any] | None, batch_size: int
    ) -> Iterator[tuple[Any, ...]]:
        self._check_process()
        check_texts(texts)
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size is {batch_size!r}; expected a whole number above 0.")
        return pair_rows(texts, pairs) if pairs is not None else zip(texts, strict=True)

    def _read_ahead(
        self,
        rows: Iterator[tuple[Any, ...]],
        count: int,
        run: Callable[[list[list[bytes]]], _Result],
    ) -> Iterator[_Result]:
        """Encode and run `count` rows at a time."""
        done = 0
        while window := list(itertools.islice(rows, count)):
            self._check_process()  # an iterator, too, may be carried over a fork
            columns = [
                list(encode_texts(column, name=name, start=done))
                for name, column in zip(("texts", "pairs"), zip(*window, strict=True), strict=False)
            ]
            yield run(columns)
            done += len(window)

    def _choose_model(self, *, has_pairs: bool, long: str, stride: int | None) -> Model:
        """Return the function from text tensors to outputs by name, one entry per row."""
        window_stride = self._check_long(has_pairs=has_pairs, long=long, stride=stride)
        if window_stride is not None:
            return functools.partial(self._run_windows, stride=window_stride)
        return self._run_pairs if has_pairs else self._run_texts

    def _check_long(self, *, has_pairs: bool, long: str, stride: int | None) -> int | None:
        """Return the stride of windows, or None if texts are truncated."""
        if has_pairs:
            self._check_pairs()
        check_long(long, stride, has_pairs=has_pairs)
        if long == "truncate":
            return None
        return self._choose_stride(stride)

    def _choose_stride(self, stride: int | None) -> int:
        if names.WINDOWS not in self._functions:
            raise InputError(
                f"{self.manifest.name} was exported by an older version of tfclf and cannot read "
                f"windows. Export it again."
            )
        if stride is None:
            return self.max_length // 4
        budget = self.max_length - int(self.tokenize([""]).row_lengths()[0])
        if isinstance(stride, bool) or not isinstance(stride, int) or not 0 <= stride < budget:
            raise InputError(
                f"stride is {stride!r}; expected a whole number from 0 to {budget - 1}: a window "
                f"holds {budget} tokens of text."
            )
        return stride

    def _run_texts(self, texts: tf.Tensor) -> Columns:
        detail = names.DETAIL_XLA if self.xla else names.DETAIL
        if detail in self._functions:
            return make_columns(self._functions[detail](text=texts))
        # Older export: a row of exactly max_length may or may not be truncated, so report None.
        full = self.tokenize(texts).row_lengths().numpy() >= self.max_length
        truncated = np.where(full, None, False)  # type: ignore[call-overload]
        return {**make_columns(self(texts)), "truncated": truncated}

    def _run_pairs(self, texts: tf.Tensor, pairs: tf.Tensor) -> Columns:
        if names.DETAIL_PAIRS in self._functions:
            outputs = self._functions[names.DETAIL_PAIRS](text=texts, text_pair=pairs)
            return make_columns(outputs)
        columns = make_columns(self.call_pairs(texts, pairs))
        return {**columns, "truncated": np.full(len(columns["label"]), None)}

    def _run_windows(self, texts: tf.Tensor, *, stride: int) -> Columns:
        strides = tf.fill(tf.shape(texts), stride)
        columns = make_columns(self._functions[names.WINDOWS](text=texts, stride=strides))
        return {**columns, "truncated": np.zeros(len(columns["label"]), bool)}


def _use_xla(wanted: bool | None, *, available: bool, manifest: Manifest) -> bool:
    if wanted not in (None, True, False):
        raise InputError(
            f"xla is {wanted!r}; expected True, False, or None: use XLA if TensorFlow sees a GPU."
        )
    if wanted and not available:
        maker = manifest.versions.get("tfclf", "of an unknown version")
        raise InputError(
            f"xla=True, but {manifest.name} has no signature {names.SERVING_XLA!r} (engine "
            f"{manifest.engine!r}, made with tfclf {maker}). Expected an export of the lean engine "
            f"by this version of tfclf: export the checkpoint again, or leave xla=True (--xla) out."
        )
    return available and bool(tf.config.list_physical_devices("GPU") if wanted is None else wanted)
