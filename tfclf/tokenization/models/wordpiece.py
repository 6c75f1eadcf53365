"""WordPiece: whole words from a table, the others by FastWordpiece.

Source: Song et al. 2021, arXiv:2012.15524.
"""

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.errors import VocabularyError, first_line
from tfclf.tokenization.models.word_table import WordTable
from tfclf.tokenization.ragged import Ranges
from tfclf.tokenization.spec import WordPiece


class WordPieceModel(tf.Module):
    """string[words] -> int32[words, (pieces)].

    >>> model = WordPieceModel(WordPiece(("[UNK]", "un", "##able", "##a", "able", "##", "b")))
    >>> model(tf.constant(["unable", "able", "una", "unb"])).to_list()
    [[1, 2], [4], [1, 3], [0]]
    """

    def __init__(self, spec: WordPiece) -> None:
        super().__init__()
        ids = {piece: index for index, piece in enumerate(spec.vocabulary)}
        # At a word's start the longest match of a piece is the piece itself, so each entry is its
        # own answer. That holds for entries with the prefix, too: there it is just two characters.
        most = spec.max_bytes or 4 * spec.max_characters
        words = [
            piece
            for piece in spec.vocabulary
            if 0 < len(piece) <= spec.max_characters and len(piece.encode()) <= most
        ]
        self._table = WordTable({word: ids[word] for word in words})
        self._unknown = ids[spec.unknown]
        self._max_characters = spec.max_characters
        self._max_bytes = spec.max_bytes
        # The op's limit counts bytes, the reference's counts characters. The op's never binds;
        # ours below does. Without pretokenization: with it, the op can hang on TF Serving up to
        # 2.19.1.
        try:
            self._subwords = tf_text.FastWordpieceTokenizer(
                vocab=list(spec.vocabulary),
                suffix_indicator=spec.prefix,
                max_bytes_per_word=4 * spec.max_characters,
                token_out_type=tf.int32,
                unknown_token=spec.unknown,
                no_pretokenization=True,
            )
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            raise VocabularyError(
                f"TF-Text cannot build a WordPiece model of these {len(spec.vocabulary)} pieces: "
                f"{first_line(error, longest=200)}. Expected pieces of at most 256 bytes, without "
                f"NUL, and a positive limit on a word's characters."
            ) from error

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        return self._table(words, self._split_words)

    def _split_words(self, words: tf.Tensor) -> Ranges:
        """string[words] -> int32[words, (pieces)]."""
        too_long = tf.strings.length(words, "UTF8_CHAR") > self._max_characters
        if self._max_bytes is not None:
            too_long |= tf.strings.length(words) > self._max_bytes
        pieces = self._subwords.tokenize(words)
        splits = tf.cast(pieces.row_splits, tf.int32)
        # The pool begins with the unknown piece, which is the whole row of a word that is too long.
        return Ranges(
            tf.concat([[self._unknown], pieces.values], axis=0),
            tf.where(too_long, 0, 1 + splits[:-1]),
            tf.where(too_long, 1, splits[1:] - splits[:-1]),
        )
