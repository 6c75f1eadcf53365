"""WordPiece: whole words from a hash table, the others by FastWordpiece (Song et al. 2021, arXiv:2012.15524).

Most words are one piece: a table answers them. Only the misses, each once, reach the subword algorithm.
"""

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.errors import VocabularyError
from tfclf.tokenization.ragged import take_ranges
from tfclf.tokenization.spec import WordPiece


class WordPieceModel(tf.Module):
    """string[words] -> int32[words, (pieces)]."""

    def __init__(self, spec: WordPiece) -> None:
        super().__init__()
        ids = {piece: index for index, piece in enumerate(spec.vocabulary)}
        # At a word's start the longest match is the word itself, so that each entry is its own answer,
        # entries with the prefix included: there the prefix is just two characters.
        most = spec.max_bytes or 4 * spec.max_characters
        words = [
            piece for piece in spec.vocabulary if 0 < len(piece) <= spec.max_characters and len(piece.encode()) <= most
        ]
        self._words = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(words, [ids[word] for word in words], tf.string, tf.int32),
            default_value=-1,
        )
        self._unknown = ids[spec.unknown]
        self._max_characters = spec.max_characters
        self._max_bytes = spec.max_bytes
        # The op's limit counts bytes, the reference's characters: this one never binds, ours below does.
        # On single words only: end to end the op can hang on TF Serving up to 2.19.1.
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
                f"{str(error).splitlines()[0][:200]}. Expected pieces of at most 256 bytes, without NUL, and "
                f"a positive limit on a word's characters."
            ) from error

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        whole = self._words.lookup(words)
        missed = tf.where(whole < 0)[:, 0]
        distinct, of_miss = tf.unique(tf.gather(words, missed))
        too_long = tf.strings.length(distinct, "UTF8_CHAR") > self._max_characters
        if self._max_bytes is not None:
            too_long |= tf.strings.length(distinct) > self._max_bytes
        pieces = self._subwords.tokenize(distinct)
        piece_starts = tf.cast(pieces.row_splits, tf.int32)

        # One pool holds every answer: the table's, the unknown piece, then the subwords of each miss.
        count = tf.size(words)
        pool = tf.concat([whole, [self._unknown], pieces.values], axis=0)
        starts = tf.where(too_long, count, count + 1 + piece_starts[:-1])
        lengths = tf.where(too_long, 1, piece_starts[1:] - piece_starts[:-1])
        at = tf.cast(missed[:, tf.newaxis], tf.int32)
        return take_ranges(
            pool,
            tf.tensor_scatter_nd_update(tf.range(count), at, tf.gather(starts, of_miss)),
            tf.tensor_scatter_nd_update(tf.ones_like(whole), at, tf.gather(lengths, of_miss)),
        )
