"""SentencePiece's unigram model on whole texts, by TF-Text's FastSentencepiece op.

The op gets a rewritten model in which every character is a piece (see `sentencepiece_model`).
Characters unknown to the original come out as pieces of one character each; adjacent ones are
joined to one token, as in SentencePiece.
"""

import itertools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.tokenization.models import sentencepiece_model
from tfclf.tokenization.patterns import character_class, literal
from tfclf.tokenization.ragged import map_halves, take_ranges
from tfclf.tokenization.spec import Unigram


class UnigramModel(tf.Module):
    """string[texts] of valid UTF-8 -> int32[texts, (tokens)]."""

    def __init__(self, spec: Unigram) -> None:
        super().__init__()
        model = sentencepiece_model.rewrite_for_op(spec.model)
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
        # The single token of a piece; -1 for unknown pieces and those with none or several tokens.
        plain = ~np.array(model.unknown) & (np.array(lengths) == 1)
        self._plain = tf.constant(
            [each[0] if is_plain else -1 for each, is_plain in zip(ids, plain, strict=True)],
            tf.int32,
        )

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        return map_halves(text, self._tokenize)

    def _tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        pieces = self._op.tokenize(self._prepare(text)).with_row_splits_dtype(tf.int32)
        tokens = tf.gather(self._plain, pieces.values)
        tokens, splits = tf.cond(
            tf.reduce_min(tokens) < 0,
            lambda: self._expand(pieces.values, pieces.row_splits),
            lambda: (tokens, pieces.row_splits),
        )
        return tf.RaggedTensor.from_row_splits(tokens, splits, validate=False)

    def _prepare(self, text: tf.Tensor) -> tf.Tensor:
        """Strip the ends, and write stand-ins for foreign characters and user-defined pieces."""
        for outside in self._outside:
            text = tf.strings.regex_replace(text, outside, "")
        text = tf.strings.regex_replace(text, self._foreign, self._stand_in)
        for symbol, stand_in in self._symbols.items():
            text = tf.strings.regex_replace(text, literal(symbol), stand_in)
        return text

    def _expand(self, pieces: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Replace each piece by its tokens, and each run of unknown pieces by one token.

        With piece 0 unknown (token 9), piece 1 token 5, and piece 2 the tokens 6 7, the rows of
        pieces [0 0 1] [0 2] become the tokens [9 5] [9 6 7].

        Args:
          pieces: int32[pieces].
          splits: int32[rows + 1].
        Returns: int32[tokens] and their int32[rows + 1] row splits.
        """
        unknown = tf.gather(self._unknown, pieces)  # [T T F T F]
        # Whether a row begins at each piece but the first: splits [0 3 5] give [F F T F].
        begins = (
            tf.scatter_nd(splits[:, tf.newaxis], tf.ones_like(splits), [tf.size(pieces) + 1])[1:-1]
            > 0
        )
        # A run of unknown characters continues within a row only: [F T F F F].
        follows = tf.pad(unknown[1:] & unknown[:-1] & ~begins, [[1, 0]])[: tf.size(pieces)]
        tokens = take_ranges(
            self._ids,
            tf.gather(self._starts, pieces),
            tf.where(follows, 0, tf.gather(self._lengths, pieces)),
        )
        return tokens.values, tf.gather(tokens.row_splits, splits)
