"""Characters at which a word can be cut without changing its pieces."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

# At most so many exceptional pieces; a text that holds one of them is not cut.
_EXCEPTIONS = 16


def find_separators(pieces: Sequence[str], mark: str) -> tuple[str, str, tuple[str, ...]]:
    r"""Find characters that no piece, with few exceptions, holds next to a letter.

    Every segmentation of a word then has a boundary between such a character and a letter, so the
    best segmentation is that of the part before, followed by that of the part after. Each
    separator is a piece itself, so no run of unknown characters crosses it.

    >>> find_separators(["_", "a", "b", "_a", "ab", ",", ".", ",.", "a.b"], "_")
    (',.', '', ('a.b',))

    Args:
      mark: the word-start mark, which may stand next to anything.
    Returns: the separators (punctuation, digits, symbols); those that pieces hold next to
      separators and to letters alike; and the exceptional pieces.
    """
    characters = {
        piece for piece in pieces if len(piece) == 1 and piece != mark and _is_symbol(piece)
    }
    neutral: set[str] = set()
    # Piece -> its separators that stand next to another kind of character.
    mixed = {piece: _find_mixed(piece, characters, mark) for piece in pieces if len(piece) > 1}
    mixed = {piece: separators for piece, separators in mixed.items() if separators}
    while len(mixed) > _EXCEPTIONS:
        # The character that most pieces mix; the first of equal ones, so all runs decide alike.
        counts = Counter(character for separators in mixed.values() for character in separators)
        out = min(counts, key=lambda character: (-counts[character], character))
        neutral.add(out)
        remaining = {piece: separators - {out} for piece, separators in mixed.items()}
        mixed = {piece: separators for piece, separators in remaining.items() if separators}
    return "".join(sorted(characters - neutral)), "".join(sorted(neutral)), tuple(sorted(mixed))


@functools.cache
def _is_symbol(character: str) -> bool:
    """Tell whether a character is punctuation, a symbol or a number."""
    return unicodedata.category(character)[0] in "PSN"


def _find_mixed(piece: str, characters: set[str], mark: str) -> set[str]:
    """Return those of `characters` that stand next to another kind of character in the piece.

    >>> sorted(_find_mixed("_a,.b-", set(",.-"), "_"))
    [',', '-', '.']
    >>> _find_mixed("_,.", set(",.-"), "_")
    set()
    """
    return {
        left if left in characters else right
        for left, right in pairwise(piece)
        if mark not in (left, right) and (left in characters) != (right in characters)
    }
