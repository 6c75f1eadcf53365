"""A SentencePiece file of type unigram: parse, check, and rewrite it for TF-Text's op.

FastSentencepiece finds the same best path as SentencePiece 0.2.3, except for the differences below,
which the rewriting removes:
- The op charges an unknown character once for each byte, SentencePiece once for each character.
  Here every character is a piece, unknown ones at the price of an unknown, so that the op meets no
  unknown character.
- The op treats user-defined pieces like all others. SentencePiece takes them at the price of 0
  whenever the path reaches their start. Here those that other pieces could break become one
  character that occurs nowhere else.
- The op joins the spaces before a text to one, and takes that one for the space that marks the
  first word, whether or not it was put there.
- The op leaves a literal U+2581, the mark itself, at the end of a text.
- The op refuses unused pieces, and reads past the end of an empty normalization table.
Sources: sentencepiece 0.2.3, unigram_model.cc (`EncodeOptimized`) and normalizer.cc; TF-Text,
optimized_encoder.cc.
"""

import functools
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfclf._transformers import sentencepiece
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError, first_line

SPACE_MARK = "\u2581"
_UNIGRAM = 1
_MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
# SentencePiece computes in single precision.
_UNKNOWN_PENALTY = np.float32(10)
_LAST_POINT = 0x10FFFF
# A normalization table without rules: no trie, and one empty replacement.
_NO_RULES = struct.pack("<I", 0) + b"\0"


@dataclass(frozen=True)
class OpModel:
    """The input of the op, and how to read its output.

    Attributes:
      model: a serialized ModelProto.
      original: int[pieces]: the piece of the file that each piece stands for.
      unknown: bool[pieces]: whether SentencePiece calls it an unknown character.
      foreign: the code points that occur in no piece and no normalization rule.
      stand_in: the piece that replaces each of those.
      symbols: user-defined piece -> the foreign character that replaces it.
      leading: characters to strip from the start of a text; empty if the op does so.
      trailing: characters to strip from its end after a literal U+2581, that one included; empty
        if the op does so.
    """

    model: bytes
    original: tuple[int, ...]
    unknown: tuple[bool, ...]
    foreign: tuple[int, ...]
    stand_in: str
    symbols: Mapping[str, str]
    leading: str
    trailing: str


def parse(raw: bytes, origin: str, *, byte_fallback: bool = False) -> Any:
    """Parse a file to its ModelProto.

    Args:
      byte_fallback: whether pieces for single bytes are allowed.
    Raises: TokenizerError if it is no SentencePiece file; UnknownComponentError if it is of another
      type or has an option that cannot be compiled; VocabularyError if it has no ordinary pieces.
    """
    package, messages = sentencepiece()
    proto = messages.ModelProto()
    again = "Take the file that the checkpoint was trained with; download it again."
    try:
        proto.ParseFromString(raw)
        if not proto.pieces:
            raise ValueError("it holds no pieces")
        if all(piece.type != _NORMAL for piece in proto.pieces):
            raise VocabularyError(
                f"{origin} holds a SentencePiece model without a single ordinary piece. {again}"
            )
        package.SentencePieceProcessor(model_proto=raw)
    except VocabularyError:
        raise
    # protobuf's DecodeError and SentencePiece's RuntimeError have no common root.
    except Exception as error:
        start = raw[:40].decode("utf-8", errors="replace")
        is_text = start.isprintable() or raw[:1] in (b"<", b"v")
        reason = f"it starts with {start!r}" if is_text else first_line(error, longest=200)
        raise TokenizerError(
            f"{origin} is no whole SentencePiece file of {len(raw)} bytes ({reason}): it is text, "
            f"or cut short. {again}"
        ) from error
    _check_options(proto, origin, byte_fallback=byte_fallback)
    return proto


def has_byte_fallback(raw: bytes) -> bool:
    """Return whether a file has pieces for single bytes; False if it is no SentencePiece file."""
    _, messages = sentencepiece()
    proto = messages.ModelProto()
    try:
        proto.ParseFromString(raw)
    except Exception:  # protobuf's DecodeError; `parse` says what is wrong
        return False
    return any(piece.type == _BYTE for piece in proto.pieces)


def _check_options(proto: Any, origin: str, *, byte_fallback: bool) -> None:
    """Raise UnknownComponentError for a type or an option that cannot be compiled."""
    trainer, normalizer = proto.trainer_spec, proto.normalizer_spec
    kind = _MODEL_TYPES.get(trainer.model_type, str(trainer.model_type))
    has_bytes = any(piece.type == _BYTE for piece in proto.pieces)
    for refused, found, expected in (
        (trainer.model_type != _UNIGRAM, f"the model type {kind!r}", "unigram"),
        (has_bytes and not byte_fallback, "byte_fallback", "pieces without byte_fallback"),
        (
            trainer.treat_whitespace_as_suffix,
            "treat_whitespace_as_suffix",
            "white space before words",
        ),
        (
            not normalizer.escape_whitespaces,
            "escape_whitespaces=false",
            "escape_whitespaces=true",
        ),
    ):
        if refused:
            raise UnknownComponentError(
                f"{origin} has {found}, which cannot be compiled exactly. Expected {expected}. "
                f"tfclf never approximates a tokenizer; please report the checkpoint."
            )


def rewrite_for_op(raw: bytes, origin: str = "the SentencePiece model") -> OpModel:
    """Rewrite a model for the op. Raises: as `parse`."""
    proto = parse(raw, origin)
    rules = _read_rules(proto.normalizer_spec.precompiled_charsmap)
    _check_rules(proto, rules, origin)
    foreign, kept = _find_foreign(proto, rules)
    stand_in = chr(foreign[-1])
    breakable = _find_breakable(proto, rules, origin)
    symbols = {symbol: chr(foreign[-2 - place]) for place, symbol in enumerate(breakable)}
    normal = [np.float32(piece.score) for piece in proto.pieces if piece.type == _NORMAL]
    price = float(min(normal) - _UNKNOWN_PENALTY)
    original = list(range(len(proto.pieces)))
    unknown = next(index for index, piece in enumerate(proto.pieces) if piece.type == _UNKNOWN)
    proto.normalizer_spec.precompiled_charsmap = (
        proto.normalizer_spec.precompiled_charsmap or _NO_RULES
    )
    proto.trainer_spec.unk_id = unknown
    for index, piece in enumerate(list(proto.pieces)):
        if piece.type == _USER_DEFINED:
            piece.type, piece.score = _NORMAL, 0.0
            if piece.piece in symbols:
                proto.pieces.add(piece=symbols[piece.piece], score=0, type=_NORMAL)
                original.append(index)
        elif piece.type == _UNUSED:
            piece.type = _CONTROL

    single = {piece.piece for piece in proto.pieces if piece.type == _NORMAL}
    for character in (*sorted(kept - single), stand_in):
        proto.pieces.add(piece=character, score=price, type=_NORMAL)
        original.append(unknown)
    blank = {" ", *(key for key, value in rules.items() if not value.strip(" ") and len(key) == 1)}
    strips = proto.normalizer_spec.remove_extra_whitespaces
    strips_start = strips and not proto.normalizer_spec.add_dummy_prefix
    strips_end = strips and SPACE_MARK not in rules
    return OpModel(
        model=proto.SerializeToString(),
        original=tuple(original),
        unknown=tuple(piece == unknown for piece in original),
        foreign=foreign,
        stand_in=stand_in,
        symbols=symbols,
        leading="".join(sorted(blank)) if strips_start else "",
        trailing="".join(sorted(blank | {SPACE_MARK})) if strips_end else "",
    )


def _find_foreign(proto: Any, rules: Mapping[str, str]) -> tuple[tuple[int, ...], set[str]]:
    """Return the code points that the model nowhere mentions, and the normalizer's possible output.

    The output is given as characters, without the space, which becomes a mark.
    """
    left_as_is = {
        character for key in rules if len(key) > 1 for character in key if character not in rules
    }
    usable = (piece.piece for piece in proto.pieces if piece.type in (_NORMAL, _USER_DEFINED))
    output = {character for text in (*usable, *rules.values()) for character in text}
    output |= left_as_is | {SPACE_MARK}
    known = {ord(character) for character in output.union(" ", *rules)}
    foreign = np.ones(_LAST_POINT + 1, bool)
    foreign[0xD800:0xE000] = False
    foreign[list(known)] = False
    return tuple(np.flatnonzero(foreign).tolist()), output - {" "}


def _find_breakable(proto: Any, rules: Mapping[str, str], origin: str) -> list[str]:
    """Return the user-defined pieces that other pieces or rules could break, longest first.

    Raises: UnknownComponentError if one overlaps another piece or a rule.
    """
    symbols = [piece.piece for piece in proto.pieces if piece.type == _USER_DEFINED]
    normal = [piece.piece for piece in proto.pieces if piece.type == _NORMAL]
    taken = {character for text in (*normal, *rules) for character in text}
    breakable = sorted(
        (symbol for symbol in symbols if len(symbol) > 1 or symbol in taken), key=len, reverse=True
    )
    for symbol in breakable:
        # A piece that begins before the symbol reaches into it if it holds the symbol, or ends
        # with a start of it. A piece that begins with the symbol gives way to it.
        starts = tuple(symbol[:end] for end in range(1, len(symbol) + 1))
        others = (other[1:] for other in (*normal, *rules, symbol))
        over = [other for other in others if symbol in other or other.endswith(starts)]
        if over := over + [other for other in symbols if symbol in other and other != symbol]:
            raise _refusal(origin, f"the user-defined piece {symbol!r} and what overlaps it", over)
    return breakable


@functools.cache
def _read_rules(charsmap: bytes) -> dict[str, str]:
    """Return text -> replacement of the normalization table."""
    if not charsmap:
        return {}
    package, messages = sentencepiece()
    proto = messages.ModelProto()
    # The library expects a complete model around the table.
    proto.pieces.add(piece="<unk>", score=0, type=_UNKNOWN)
    proto.pieces.add(piece="a", score=-1, type=_NORMAL)
    proto.normalizer_spec.precompiled_charsmap = charsmap
    return dict(package.SentencePieceNormalizer(model_proto=proto.SerializeToString()).decompile())


def _check_rules(proto: Any, rules: Mapping[str, str], origin: str) -> None:
    """Refuse rules whose order matters.

    The op applies all rules first and then joins spaces; SentencePiece does both as it goes.
    """
    symbols = {piece.piece for piece in proto.pieces if piece.type == _USER_DEFINED}
    known = {character for piece in proto.pieces for character in piece.piece} - set(rules)
    problems = {
        "user-defined pieces with white space": [
            symbol for symbol in symbols if set(symbol) & set(" \t\r\n")
        ],
        "normalization rules about several spaces": [
            key for key, value in rules.items() if (key[0] == " " and len(key) > 1) or "  " in value
        ],
        "normalization rules that make other white space": [
            key for key, value in rules.items() if set(value) & set("\t\r\n")
        ],
        "pieces with white space that no rule makes a space": known & set("\t\r\n"),
    }
    for what, found in problems.items():
        if found:
            raise _refusal(origin, what, found)


def _refusal(origin: str, what: str, found: Iterable[str]) -> UnknownComponentError:
    return UnknownComponentError(
        f"{origin} has {what} ({', '.join(map(ascii, sorted(found)[:3]))}), which cannot be "
        f"compiled exactly. Expected none. tfclf never approximates a tokenizer; please report "
        f"the checkpoint."
    )
