"""SentencePiece's unigram model on whole texts, by TF-Text's FastSentencepiece op.

The op takes a rewritten model, in which every character is a piece (see `sentencepiece_model`); what is unknown
to the original comes out as pieces of one character, and runs of them become one token, as in SentencePiece.
"""

import itertools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.tokenization.models import sentencepiece_model
from tfclf.tokenization.patterns import character_class, literal
from tfclf.tokenization.ragged import merge_inner, take_ranges
from tfclf.tokenization.spec import Unigram

_PARTS = 4


class UnigramModel(tf.Module):
    """string[texts] of valid UTF-8 -> int32[texts, (tokens)]."""

    def __init__(self, spec: Unigram) -> None:
        super().__init__()
        model = sentencepiece_model.for_op(spec.model)
        self._op = tf_text.FastSentencepieceTokenizer(model.model)
        self._foreign = character_class(model.foreign)
        self._stand_in = model.stand_in
        self._symbols = dict(model.symbols)
        self._outside = []
        if model.leading:
            self._outside.append(rf"\A{character_class(map(ord, model.leading))}+")
        if model.trailing:
            self._outside.append(rf"\x{{2581}}{character_class(map(ord, model.trailing))}*\z")
        ids = [spec.ids[piece] for piece in model.original]
        self._one_each = all(len(each) == 1 for each in ids)
        self._ids = tf.constant(list(itertools.chain.from_iterable(ids)), tf.int32)
        self._starts = tf.constant(np.cumsum([0, *map(len, ids)]), tf.int32)
        self._unknown = tf.constant(model.unknown)

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        pieces = self._runs_of_unknown_as_one(self._pieces(self._without_foreign(text)))
        if self._one_each:
            return pieces.with_values(tf.gather(self._ids, pieces.values))
        starts = tf.gather(self._starts, pieces.values)
        tokens = take_ranges(self._ids, starts, tf.gather(self._starts, pieces.values + 1) - starts)
        return merge_inner(tokens, pieces.row_splits)

    def _without_foreign(self, text: tf.Tensor) -> tf.Tensor:
        for outside in self._outside:
            text = tf.strings.regex_replace(text, outside, "")
        text = tf.strings.regex_replace(text, self._foreign, self._stand_in)
        for symbol, stand_in in self._symbols.items():
            text = tf.strings.regex_replace(text, literal(symbol), stand_in)
        return text

    def _pieces(self, text: tf.Tensor) -> tf.RaggedTensor:
        # The op takes one text after the other, on one thread; TensorFlow runs its copies side by side.
        count = tf.size(text)
        bounds = [count * part // _PARTS for part in range(_PARTS + 1)]
        parts = [self._op.tokenize(text[bounds[part] : bounds[part + 1]]) for part in range(_PARTS)]
        return tf.concat([part.with_row_splits_dtype(tf.int32) for part in parts], axis=0)

    def _runs_of_unknown_as_one(self, pieces: tf.RaggedTensor) -> tf.RaggedTensor:
        unknown = tf.gather(self._unknown, pieces.values)
        return tf.cond(tf.reduce_any(unknown), lambda: self._first_of_each_run(pieces, unknown), lambda: pieces)

    def _first_of_each_run(self, pieces: tf.RaggedTensor, unknown: tf.Tensor) -> tf.RaggedTensor:
        row = tf.cast(pieces.value_rowids(), tf.int32)
        follows = tf.concat([[False], unknown[:-1] & (row[1:] == row[:-1])], axis=0)[: tf.size(unknown)]
        return tf.ragged.boolean_mask(pieces, pieces.with_values(~(unknown & follows)))
