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
from tfclf.tokenization.ragged import in_parts, take_ranges
from tfclf.tokenization.spec import Unigram


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
        lengths = [len(each) for each in ids]
        self._ids = tf.constant(list(itertools.chain.from_iterable(ids)), tf.int32)
        self._starts = tf.constant(np.cumsum([0, *lengths])[:-1], tf.int32)
        self._lengths = tf.constant(lengths, tf.int32)
        self._unknown = tf.constant(model.unknown)
        # The one token that a piece just becomes; below 0 for unknown pieces and for those that become none or several.
        plain = ~np.array(model.unknown) & (np.array(lengths) == 1)
        self._plain = tf.constant(
            [each[0] if is_plain else -1 for each, is_plain in zip(ids, plain, strict=True)],
            tf.int32,
        )

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        return in_parts(text, self._tokens)

    def _tokens(self, text: tf.Tensor) -> tf.RaggedTensor:
        pieces = self._op.tokenize(self._without_foreign(text)).with_row_splits_dtype(tf.int32)
        tokens = tf.gather(self._plain, pieces.values)
        tokens, splits = tf.cond(
            tf.reduce_min(tokens) < 0,
            lambda: self._of_pieces(pieces.values, pieces.row_splits),
            lambda: (tokens, pieces.row_splits),
        )
        return tf.RaggedTensor.from_row_splits(tokens, splits, validate=False)

    def _without_foreign(self, text: tf.Tensor) -> tf.Tensor:
        for outside in self._outside:
            text = tf.strings.regex_replace(text, outside, "")
        text = tf.strings.regex_replace(text, self._foreign, self._stand_in)
        for symbol, stand_in in self._symbols.items():
            text = tf.strings.regex_replace(text, literal(symbol), stand_in)
        return text

    def _of_pieces(self, pieces: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """int32[tokens] and their row splits, of int32[pieces] and theirs: as many for each piece as it says."""
        unknown = tf.gather(self._unknown, pieces)
        begins = (
            tf.scatter_nd(splits[:, tf.newaxis], tf.ones_like(splits), [tf.size(pieces) + 1])[1:-1]
            > 0
        )
        # A run of unknown characters within a row is one token.
        follows = tf.pad(unknown[1:] & unknown[:-1] & ~begins, [[1, 0]])[: tf.size(pieces)]
        tokens = take_ranges(
            self._ids,
            tf.gather(self._starts, pieces),
            tf.where(follows, 0, tf.gather(self._lengths, pieces)),
        )
        return tokens.values, tf.gather(tokens.row_splits, splits)
