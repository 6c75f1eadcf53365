"""A SentencePiece model run by TF-Text's older op, which is the SentencePiece library itself.

The newer op, FastSentencepieceTokenize, breaks ties between equal scores differently. A model that
was trained behind the older op must be run by it.
"""

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.errors import VocabularyError, first_line
from tfclf.tokenization.spec import SentencePiece


class SentencePieceModel(tf.Module):
    """string[texts] -> int32[texts, (pieces)].

    Raises: VocabularyError if the file is no SentencePiece model.
    """

    def __init__(self, spec: SentencePiece) -> None:
        super().__init__()
        self._ids = tf.constant(spec.ids)
        try:
            self._pieces = tf_text.SentencepieceTokenizer(spec.model, out_type=tf.int32)
        except (tf.errors.OpError, RuntimeError) as error:
            raise VocabularyError(
                f"TF-Text cannot read this SentencePiece model of {len(spec.model):,} bytes: "
                f"{first_line(error, longest=200)}. It may be cut short; download it again."
            ) from error

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        pieces = self._pieces.tokenize(texts)
        return tf.RaggedTensor.from_row_splits(
            tf.gather(self._ids, pieces.values),
            tf.cast(pieces.row_splits, tf.int32),
            validate=False,
        )
