"""Helpers that the readers of tokenizer.json's parts share."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfclf.errors import UnknownComponentError, VocabularyError

Part = Mapping[str, Any]
# FastWordpiece takes pieces of at most 256 bytes.
_LONGEST_FILLER = 256


def kind_of(part: object) -> object:
    """Return the `type` of a part; anything that is no JSON object is returned itself.

    >>> kind_of({"type": "Lowercase"}), kind_of({}), kind_of(None)
    ('Lowercase', None, None)
    """
    return part.get("type") if isinstance(part, Mapping) else part


def unknown_part(
    part: str, found: object, known: Iterable[str], path: Path
) -> UnknownComponentError:
    """Return the error for a part, or an option of a part, that the compiler does not know."""
    return UnknownComponentError(
        f"{path}: the {part} is {found!r}, which cannot be compiled exactly. Expected "
        f"{' or '.join(known)}. tfclf never approximates a tokenizer; please report the checkpoint."
    )


def sort_pieces(vocabulary: Mapping[str, int], path: Path) -> tuple[str, ...]:
    """Sort pieces by their ids, which must be 0, 1, 2, ...

    >>> sort_pieces({"b": 1, "a": 0}, Path("vocab.json"))
    ('a', 'b')

    Raises: VocabularyError.
    """
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    ids = [vocabulary[piece] for piece in pieces]
    if ids != list(range(len(ids))):
        wrong = next(expected for expected, found in enumerate(ids) if expected != found)
        raise VocabularyError(
            f"{path}: the vocabulary's ids are not 0 to {len(ids) - 1}: id {wrong} is missing or "
            f"given twice (near {pieces[wrong]!r}). Every embedding needs exactly one piece."
        )
    return tuple(pieces)


def fill_gaps(vocabulary: Mapping[str, int], *, max_characters: int) -> dict[str, int]:
    """Fill ids that no piece has, below the largest, with pieces that no word can match.

    A vocab.txt with a piece on two lines has such ids, because the last line's number is the
    piece's id. The piece of a blank line, which is empty, matches nothing either.

    >>> fill_gaps({"a": 0, "c": 2, "": 3}, max_characters=12)
    {'a': 0, 'c': 2, 'no piece 1   ': 1}

    Args:
      max_characters: of a word that is split; the fillers have one more.
    """
    pieces = {piece: index for piece, index in vocabulary.items() if piece}
    largest = max(pieces.values(), default=-1)
    # As many gaps as pieces are no accident of editing; `sort_pieces` refuses them.
    if largest >= 2 * len(pieces) or not 0 < max_characters < _LONGEST_FILLER:
        return pieces
    gaps = sorted(set(range(largest)) - set(pieces.values()))
    return pieces | {f"no piece {index}".ljust(max_characters + 1): index for index in gaps}
