"""Byte-level BPE: whole words from a hash table, the others by a SentencePiece model of type BPE.

SentencePiece merges any two neighbours whose concatenation is one of its pieces, best score first.
BPE merges only the listed pairs, in the order of the list. Both resolve ties from left to right.
The two give the same result, for any list of merges, if SentencePiece holds exactly those pieces
that BPE makes of their own text, each scored by the merge that completes it there. Proof:

Let x and y be neighbours at some moment of BPE in some word. Neither has been merged across its
ends. So BPE of the text xy alone takes the same steps in the same order as BPE of the word takes
within xy, and arrives at x and y as well. It arrives at exactly two symbols at most once. Hence a
pair of neighbours that spells a piece w is always the pair that BPE of w alone either stops at, or
merges last. In the first case BPE never makes w, and SentencePiece does not hold it. In the second
case both merge this pair, with the same rank. (Scores are float32, which distinguishes 16 million
ranks.)
"""

import itertools
import struct
from collections.abc import Iterable, Mapping

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf._transformers import sentencepiece
from tfclf.errors import VocabularyError
from tfclf.tokenization.models.byte_alphabet import byte_of, check_bytes
from tfclf.tokenization.models.word_table import WordTable
from tfclf.tokenization.ragged import Ranges, take_ranges
from tfclf.tokenization.spec import ByteBpe

# SentencePiece ends a piece at NUL, so this letter stands for it.
_NUL = "\u0100"
# SentencePiece requires an unknown piece; no text reaches this one.
_UNKNOWN = "\u2047"
# A charsmap without rules: no unit of its trie matches the byte that leads to it. Without any
# charsmap, SentencePiece writes a warning to standard error each time the model is loaded.
_NO_RULES = struct.pack("<257I", 1024, *(byte ^ 1 for byte in range(256))) + b"\0"


class ByteBpeModel(tf.Module):
    """string[words] of raw bytes -> int32[words, (pieces)].

    Three tables in turn: words that are one piece, other spellings of those, and SentencePiece.

    >>> merges = (("l", "o"), ("lo", "w"))
    >>> model = ByteBpeModel(ByteBpe((*byte_of(), "lo", "low"), merges))
    >>> [[piece - 256 for piece in row if piece >= 256] for row in
    ...  model(tf.constant(["low", "lolow", "slow"])).to_list()]
    [[1], [0, 1], [1]]

    Raises: VocabularyError for a merge whose parts or result the vocabulary lacks, or for a missing
      byte of UTF-8.
    """

    def __init__(self, spec: ByteBpe) -> None:
        super().__init__()
        ids = {piece: index for index, piece in enumerate(spec.vocabulary)}
        alphabet = byte_of()
        check_bytes(ids, "a spec")
        _check_merges(spec, ids)
        pieces = {character: 0 for character in alphabet if character in ids}
        pieces.update(_rank_pieces(spec))
        words = {
            _to_bytes(piece, alphabet): ids[piece]
            for piece in (ids if spec.ignore_merges else pieces)
            if piece and alphabet.keys() >= set(piece)
        }
        self._table = WordTable(words)
        # One more entry: SentencePiece's id 0 is the unknown piece.
        self._ids = tf.constant([0, *(ids[piece] for piece in pieces)])
        self._subwords = tf_text.SentencepieceTokenizer(
            _sentencepiece_model(
                (_to_letters(_to_bytes(piece, alphabet)), -float(rank))
                for piece, rank in pieces.items()
            ),
            out_type=tf.int32,
        )

        common = sorted(_spellings(words) - words.keys())
        merged = self._merge(tf.constant(common, tf.string, [len(common)]))
        self._common = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                common, list(range(len(common))), tf.string, tf.int32
            ),
            default_value=-1,
        )
        # One more row, empty, for words that are not among them.
        splits = merged.row_splits.numpy()
        self._common_pieces = tf.constant(merged.values.numpy())
        self._common_splits = tf.constant([*splits, splits[-1]])

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        return self._table(words, self._split_words)

    def _split_words(self, words: tf.Tensor) -> Ranges:
        """string[words] -> int32[words, (pieces)]."""
        place = self._common.lookup(words)
        rest = tf.where(place < 0)[:, 0]
        place = tf.where(place < 0, tf.size(self._common_splits) - 2, place)
        starts = tf.gather(self._common_splits, place)
        common = take_ranges(
            self._common_pieces, starts, tf.gather(self._common_splits, place + 1) - starts
        )
        merged = self._merge(tf.gather(words, rest))
        return Ranges.from_ragged(common).with_rows(rest, Ranges.from_ragged(merged))

    def _merge(self, words: tf.Tensor) -> tf.RaggedTensor:
        letters = tf.strings.unicode_transcode(words, "ISO-8859-1", "UTF-8")
        pieces = self._subwords.tokenize(tf.strings.regex_replace(letters, r"\x00", _NUL))
        splits = tf.cast(pieces.row_splits, tf.int32)
        return tf.RaggedTensor.from_row_splits(
            tf.gather(self._ids, pieces.values), splits, validate=False
        )


def _spellings(words: Iterable[bytes]) -> set[bytes]:
    """Return lower-case, capitalized and upper-case forms of words, with and without a space.

    A third of the words that are no piece are a piece in another spelling.

    >>> sorted(_spellings([b" Low", b"1"]))
    [b' LOW', b' Low', b' low', b'LOW', b'Low', b'low']
    """
    letters = {word.removeprefix(b" ") for word in words}
    spelled = {
        form
        for word in letters
        if word.isalpha()
        for form in (word.lower(), word.capitalize(), word.upper())
    }
    return spelled | {b" " + word for word in spelled}


def _check_merges(spec: ByteBpe, ids: Mapping[str, int]) -> None:
    for place, (left, right) in enumerate(spec.merges):
        if missing := [piece for piece in (left, right, left + right) if piece not in ids]:
            raise VocabularyError(
                f"merge {place + 1} joins {left!r} and {right!r}, but the vocabulary of {len(ids)} "
                f"pieces lacks {missing[0]!r}. Expected the parts and the result of every merge "
                f"among the pieces; take vocabulary and merges from the same checkpoint."
            )


def _rank_pieces(spec: ByteBpe) -> dict[str, int]:
    """Return piece -> rank of the merge that completes it, if BPE makes it of its own text.

    The piece "abc" is listed as a|bc, but BPE of "abc" merges a|b first and never gets there:

    >>> _rank_pieces(ByteBpe((), (("a", "b"), ("b", "c"), ("a", "bc"))))
    {'ab': 0, 'bc': 1}
    """
    # The reference keeps the last rank of a pair that is listed twice.
    ranks = {pair: rank for rank, pair in enumerate(spec.merges)}
    last = {
        left + right: _last_merge(left + right, ranks, len(spec.merges)) for left, right in ranks
    }
    return {piece: rank for piece, rank in last.items() if rank is not None}


def _last_merge(piece: str, ranks: Mapping[tuple[str, str], int], none: int) -> int | None:
    """Return the rank of the merge that completes a piece; None if BPE stops before that.

    >>> _last_merge("abc", {("b", "c"): 0, ("a", "bc"): 1}, 2)
    1
    """
    symbols = list(piece)
    while len(symbols) > 1:
        pair_ranks = [ranks.get(pair, none) for pair in itertools.pairwise(symbols)]
        rank = min(pair_ranks)
        if rank == none:
            return None
        place = pair_ranks.index(rank)
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
    return rank if len(piece) > 1 else None


def _to_bytes(piece: str, alphabet: Mapping[str, int]) -> bytes:
    return bytes(alphabet[character] for character in piece)


def _to_letters(word: bytes) -> str:
    return word.decode("latin-1").replace("\0", _NUL)


def _sentencepiece_model(pieces: Iterable[tuple[str, float]]) -> bytes:
    """Serialize a ModelProto of type BPE that leaves the text unchanged; id 0 is the unknown piece.

    Args:
      pieces: with their scores; piece i gets id i + 1.
    """
    _, messages = sentencepiece()
    model = messages.ModelProto()
    model.pieces.add(piece=_UNKNOWN, type=messages.ModelProto.SentencePiece.UNKNOWN)
    for piece, score in pieces:
        model.pieces.add(piece=piece, score=score)
    model.trainer_spec.model_type = messages.TrainerSpec.BPE
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.precompiled_charsmap = _NO_RULES
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = False
    serialized: bytes = model.SerializeToString()
    return serialized
