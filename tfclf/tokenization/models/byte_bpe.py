"""Byte-level BPE: whole words from a hash table, the others by a SentencePiece model of type BPE.

SentencePiece merges any two neighbours whose concatenation is one of its pieces, the piece with the best score first;
BPE merges listed pairs only, the first in the list first; both go from left to right between equals. The two are the
same, for any list of merges, if SentencePiece is given exactly the pieces that BPE makes of themselves, with scores by
the merge that completes them there:

Let x and y be neighbours at some moment of BPE in some word. Neither has been merged across its ends, so that BPE of
the text xy alone, whose steps are those of the word that lie within xy, in the same order, comes to x and y as well.
It comes to two symbols at most once. So a pair of neighbours that spells a piece w is always the one pair that BPE of
w alone ends with, or ends by merging. In the first case w is never made, and SentencePiece does not hold it; in the
second both merge this pair, and with the same rank. (Scores are float32, which tells 16 million ranks apart.)
"""

import itertools
import struct
from collections.abc import Iterable, Mapping

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.errors import VocabularyError
from tfclf.tokenization.models.byte_alphabet import byte_of, check_bytes
from tfclf.tokenization.models.word_table import WordTable
from tfclf.tokenization.ragged import Ranges, take_ranges
from tfclf.tokenization.spec import ByteBpe


class ByteBpeModel(tf.Module):
    """string[words] of raw bytes -> int32[words, (pieces)].

    Raises: VocabularyError for a merge whose parts or result the vocabulary lacks, or a byte of UTF-8 that it lacks.
    """

    def __init__(self, spec: ByteBpe) -> None:
        super().__init__()
        ids = {piece: index for index, piece in enumerate(spec.vocabulary)}
        alphabet = byte_of()
        check_bytes(ids, "a spec")
        _check_merges(spec, ids)
        made = _made(spec)
        bases = {character: 0 for character in alphabet if character in ids}
        whole = ids if spec.ignore_merges else {**bases, **made}
        words = {
            _bytes(piece, alphabet): ids[piece]
            for piece in whole
            if piece and alphabet.keys() >= set(piece)
        }
        self._table = WordTable(words)
        pieces = {**bases, **made}
        self._ids = tf.constant([0, *(ids[piece] for piece in pieces)])
        self._subwords = tf_text.SentencepieceTokenizer(
            _sentencepiece_model(
                (_letters(_bytes(piece, alphabet)), -float(rank)) for piece, rank in pieces.items()
            ),
            out_type=tf.int32,
        )

        common = sorted(_spellings(words) - words.keys())
        answers = self._merged(tf.constant(common, tf.string, [len(common)]))
        self._common = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                common, list(range(len(common))), tf.string, tf.int32
            ),
            default_value=-1,
        )
        # One row more, empty, for what is not among them.
        self._common_pieces = tf.constant(answers.values.numpy())
        self._common_splits = tf.constant(
            [*answers.row_splits.numpy(), answers.row_splits.numpy()[-1]]
        )

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        return self._table(words, self._not_whole)

    def _not_whole(self, words: tf.Tensor) -> Ranges:
        """string[words] -> int32[words, (pieces)]."""
        place = self._common.lookup(words)
        rest = tf.where(place < 0)[:, 0]
        place = tf.where(place < 0, tf.size(self._common_splits) - 2, place)
        starts = tf.gather(self._common_splits, place)
        common = take_ranges(
            self._common_pieces, starts, tf.gather(self._common_splits, place + 1) - starts
        )
        return Ranges.of(common).with_rows(rest, Ranges.of(self._merged(tf.gather(words, rest))))

    def _merged(self, words: tf.Tensor) -> tf.RaggedTensor:
        letters = tf.strings.unicode_transcode(words, "ISO-8859-1", "UTF-8")
        pieces = self._subwords.tokenize(tf.strings.regex_replace(letters, r"\x00", _NUL))
        splits = tf.cast(pieces.row_splits, tf.int32)
        return tf.RaggedTensor.from_row_splits(
            tf.gather(self._ids, pieces.values), splits, validate=False
        )


def _spellings(words: Iterable[bytes]) -> set[bytes]:
    """Words of letters in lower case, capitalized and in upper case, with the space before them and without.

    A third of the words that are no piece are a piece in another spelling.
    """
    letters = {word.removeprefix(b" ") for word in words}
    spelled = {
        form
        for word in letters
        if word.isalpha()
        for form in (word.lower(), word.capitalize(), word.upper())
    }
    return spelled | {b" " + word for word in spelled}


# SentencePiece ends a piece at NUL.
_NUL = "\u0100"
# What SentencePiece calls a piece that it does not know; it asks for one, and no text comes to it.
_UNKNOWN = "\u2047"


def _check_merges(spec: ByteBpe, ids: Mapping[str, int]) -> None:
    for place, (left, right) in enumerate(spec.merges):
        if missing := [piece for piece in (left, right, left + right) if piece not in ids]:
            raise VocabularyError(
                f"merge {place + 1} joins {left!r} and {right!r}, but the vocabulary of {len(ids)} pieces lacks "
                f"{missing[0]!r}. Expected the parts and the result of every merge among the pieces; take vocabulary "
                f"and merges from the same checkpoint."
            )


def _made(spec: ByteBpe) -> dict[str, int]:
    """Piece -> rank of the merge that completes it, for the results of merges that BPE makes of themselves."""
    # Of a pair that is listed twice the reference keeps the last place.
    ranks = {pair: rank for rank, pair in enumerate(spec.merges)}
    last = {
        left + right: _last_merge(left + right, ranks, len(spec.merges)) for left, right in ranks
    }
    return {piece: rank for piece, rank in last.items() if rank is not None}


def _last_merge(piece: str, ranks: Mapping[tuple[str, str], int], none: int) -> int | None:
    symbols = list(piece)
    while len(symbols) > 1:
        found = [ranks.get(pair, none) for pair in itertools.pairwise(symbols)]
        rank = min(found)
        if rank == none:
            return None
        place = found.index(rank)
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
    return rank if len(piece) > 1 else None


def _bytes(piece: str, alphabet: Mapping[str, int]) -> bytes:
    return bytes(alphabet[character] for character in piece)


def _letters(word: bytes) -> str:
    return word.decode("latin-1").replace("\0", _NUL)


def _sentencepiece_model(pieces: Iterable[tuple[str, float]]) -> bytes:
    """A serialized ModelProto of type BPE that changes nothing in the text; id 0 is the unknown piece."""
    unknown = _field(1, _UNKNOWN.encode()) + _field(3, 2)
    listed = (_field(1, piece.encode()) + _field(2, score) for piece, score in pieces)
    trainer = _field(3, 2)  # model_type: BPE
    # No dummy prefix, no white space removed, none escaped.
    normalizer = (
        _field(1, b"identity") + _field(2, _NO_RULES) + _field(3, 0) + _field(4, 0) + _field(5, 0)
    )
    return (
        b"".join(_field(1, piece) for piece in [unknown, *listed])
        + _field(2, trainer)
        + _field(3, normalizer)
    )


# A charsmap without a rule: no unit of its trie answers to the byte that leads there. Where there is none at all,
# SentencePiece says so on standard error, each time that the model is loaded.
_NO_RULES = struct.pack("<257I", 1024, *(byte ^ 1 for byte in range(256))) + b"\0"


def _field(number: int, value: bytes | float | int) -> bytes:
    """One field of a protocol buffer: length and bytes, float32, or a small number."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2]) + _varint(len(value)) + value
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    return bytes([number << 3]) + _varint(value)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
