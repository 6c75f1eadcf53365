"""A SentencePiece file of type unigram, read, checked, and rewritten for TF-Text's FastSentencepiece op.

The op finds the same best path as SentencePiece 0.2.3, with these differences, which the rewriting takes away:
- it pays the price of an unknown character for each of its bytes; SentencePiece for each character. Here every
  character is a piece, the unknown ones at the price of an unknown, so that none is unknown to the op;
- it takes user-defined pieces for pieces like others; SentencePiece takes them, at the price of 0, wherever the path
  comes to their start. Here those that are not on their own anyway become one character that nothing else contains;
- it joins the spaces before a text to one, and takes that for the space that marks the first word, put there or not;
- it leaves a literal U+2581, the mark itself, at the end of a text;
- it refuses unused pieces, and reads past the end of an empty normalization table.
Sources: sentencepiece 0.2.3, unigram_model.cc (`EncodeOptimized`) and normalizer.cc; TF-Text, optimized_encoder.cc.
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
# SentencePiece counts in single precision.
_UNKNOWN_PENALTY = np.float32(10)
_LAST_POINT = 0x10FFFF
# A normalization table without rules: no trie, and one empty replacement.
_NO_RULES = struct.pack("<I", 0) + b"\0"


@dataclass(frozen=True)
class OpModel:
    """What the op is given, and how to read what it gives back.

    Attributes:
      model: a serialized ModelProto.
      original: for each of its pieces the piece of the file that it stands for.
      unknown: bool[pieces]: what SentencePiece calls an unknown character.
      foreign: the code points that no piece and no normalization rule knows.
      stand_in: the piece that stands for each of those.
      symbols: user-defined pieces, and the foreign character that stands for each.
      leading: characters to take from the start of a text; empty where the op does so.
      trailing: characters to take from its end behind a literal U+2581, that one included; empty likewise.
    """

    model: bytes
    original: tuple[int, ...]
    unknown: tuple[bool, ...]
    foreign: tuple[int, ...]
    stand_in: str
    symbols: Mapping[str, str]
    leading: str
    trailing: str


def parse(raw: bytes, origin: str) -> Any:
    """The ModelProto of a file.

    Raises: TokenizerError for what is no SentencePiece file; UnknownComponentError for one of another type;
      VocabularyError for one without pieces.
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
    except (
        Exception
    ) as error:  # protobuf's DecodeError and SentencePiece's RuntimeError have no common root
        start = raw[:40].decode("utf-8", errors="replace")
        reason = first_line(error, longest=200)
        what = (
            f"it starts with {start!r}"
            if start.isprintable() or raw[:1] in (b"<", b"v")
            else reason
        )
        raise TokenizerError(
            f"{origin} is no whole SentencePiece file of {len(raw)} bytes ({what}): it is text, or cut short. {again}"
        ) from error
    trainer, normalizer = proto.trainer_spec, proto.normalizer_spec
    kind = _MODEL_TYPES.get(trainer.model_type, str(trainer.model_type))
    for found, expected in (
        (f"the model type {kind!r}" if trainer.model_type != _UNIGRAM else "", "unigram"),
        (
            "byte_fallback" if any(piece.type == _BYTE for piece in proto.pieces) else "",
            "pieces without byte_fallback",
        ),
        (
            "treat_whitespace_as_suffix" if trainer.treat_whitespace_as_suffix else "",
            "white space before words",
        ),
        (
            "escape_whitespaces=false" if not normalizer.escape_whitespaces else "",
            "escape_whitespaces=true",
        ),
    ):
        if found:
            raise UnknownComponentError(
                f"{origin} has {found}, which cannot be compiled exactly. Expected {expected}. tfclf never "
                f"approximates a tokenizer; please report the checkpoint."
            )
    return proto


def for_op(raw: bytes, origin: str = "the SentencePiece model") -> OpModel:
    """Rewrites a model for the op. Raises: as `parse`."""
    proto = parse(raw, origin)
    rules = _rules(proto.normalizer_spec.precompiled_charsmap)
    _check_rules(proto, rules, origin)
    foreign, kept = _foreign(proto, rules)
    stand_in = chr(foreign[-1])
    crowded = _crowded(proto, rules, origin)
    symbols = {symbol: chr(foreign[-2 - place]) for place, symbol in enumerate(crowded)}
    normal = [np.float32(piece.score) for piece in proto.pieces if piece.type == _NORMAL]
    price = float(min(normal) - _UNKNOWN_PENALTY)
    original = list(range(len(proto.pieces)))
    of_unknown = next(index for index, piece in enumerate(proto.pieces) if piece.type == _UNKNOWN)
    proto.normalizer_spec.precompiled_charsmap = (
        proto.normalizer_spec.precompiled_charsmap or _NO_RULES
    )
    proto.trainer_spec.unk_id = of_unknown
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
        original.append(of_unknown)
    blank = {" ", *(key for key, value in rules.items() if not value.strip(" ") and len(key) == 1)}
    strips = proto.normalizer_spec.remove_extra_whitespaces
    return OpModel(
        model=proto.SerializeToString(),
        original=tuple(original),
        unknown=tuple(piece == of_unknown for piece in original),
        foreign=foreign,
        stand_in=stand_in,
        symbols=symbols,
        leading="".join(sorted(blank))
        if strips and not proto.normalizer_spec.add_dummy_prefix
        else "",
        trailing="".join(sorted(blank | {SPACE_MARK}))
        if strips and SPACE_MARK not in rules
        else "",
    )


def _foreign(proto: Any, rules: Mapping[str, str]) -> tuple[tuple[int, ...], set[str]]:
    """The code points that nothing in the model knows, and the characters that normalization can leave."""
    left_as_is = {
        character for key in rules if len(key) > 1 for character in key if character not in rules
    }
    usable = (piece.piece for piece in proto.pieces if piece.type in (_NORMAL, _USER_DEFINED))
    left = (
        {character for text in (*usable, *rules.values()) for character in text}
        | left_as_is
        | {SPACE_MARK}
    )
    known = {ord(character) for character in left.union(" ", *rules)}
    foreign = np.ones(_LAST_POINT + 1, bool)
    foreign[0xD800:0xE000] = False
    foreign[list(known)] = False
    return tuple(np.flatnonzero(foreign).tolist()), left - {" "}


def _crowded(proto: Any, rules: Mapping[str, str], origin: str) -> list[str]:
    """User-defined pieces that other pieces or rules could break, longest first. Raises: UnknownComponentError."""
    symbols = [piece.piece for piece in proto.pieces if piece.type == _USER_DEFINED]
    normal = [piece.piece for piece in proto.pieces if piece.type == _NORMAL]
    taken = {character for text in (*normal, *rules) for character in text}
    crowded = sorted(
        (symbol for symbol in symbols if len(symbol) > 1 or symbol in taken), key=len, reverse=True
    )
    for symbol in crowded:
        # What begins before the symbol and reaches into it; what begins with it gives way to it.
        starts = tuple(symbol[:end] for end in range(1, len(symbol) + 1))
        others = (other[1:] for other in (*normal, *rules, symbol))
        over = [other for other in others if symbol in other or other.endswith(starts)]
        if over := over + [other for other in symbols if symbol in other and other != symbol]:
            raise _refused(origin, f"the user-defined piece {symbol!r} and what overlaps it", over)
    return crowded


@functools.cache
def _rules(charsmap: bytes) -> dict[str, str]:
    """What the normalization table replaces by what."""
    if not charsmap:
        return {}
    package, messages = sentencepiece()
    proto = messages.ModelProto()
    # The library wants a whole model around it.
    proto.pieces.add(piece="<unk>", score=0, type=_UNKNOWN)
    proto.pieces.add(piece="a", score=-1, type=_NORMAL)
    proto.normalizer_spec.precompiled_charsmap = charsmap
    return dict(package.SentencePieceNormalizer(model_proto=proto.SerializeToString()).decompile())


def _check_rules(proto: Any, rules: Mapping[str, str], origin: str) -> None:
    """The op applies the rules everywhere and then joins spaces; SentencePiece while it goes, in its own order."""
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
            raise _refused(origin, what, found)


def _refused(origin: str, what: str, found: Iterable[str]) -> UnknownComponentError:
    return UnknownComponentError(
        f"{origin} has {what} ({', '.join(map(ascii, sorted(found)[:3]))}), which cannot be compiled exactly. Expected "
        f"none. tfclf never approximates a tokenizer; please report the checkpoint."
    )
