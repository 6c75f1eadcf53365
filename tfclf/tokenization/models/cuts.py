"""Where a word can be cut without changing its pieces."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

# A text that holds one of them is not cut.
_EXCEPTIONS = 16


def apart(pieces: Sequence[str], mark: str) -> tuple[str, str, tuple[str, ...]]:
    """Characters that no piece holds beside letters, but for a few pieces.

    Every way to cut a word into pieces has an end between such a character and a letter, so that the best way is
    the best way to there and from there. Each of the characters is a piece, so that no run of unknown ones goes across.

    Args:
      mark: begins words, and is beside everything.
    Returns: the characters (punctuation, digits, symbols); those that are beside both them and letters; and the
      pieces that are exceptions.
    """
    characters = {
        piece for piece in pieces if len(piece) == 1 and piece != mark and _is_no_letter(piece)
    }
    neutral: set[str] = set()
    mixed = {
        piece: found
        for piece in pieces
        if len(piece) > 1 and (found := _mixed(piece, characters, mark))
    }
    while len(mixed) > _EXCEPTIONS:
        # The one that the most pieces mix; of equal ones the first, so that every run decides alike.
        guilty = Counter(character for found in mixed.values() for character in found)
        out = min(guilty, key=lambda character: (-guilty[character], character))
        neutral.add(out)
        mixed = {piece: found - {out} for piece, found in mixed.items() if found - {out}}
    return "".join(sorted(characters - neutral)), "".join(sorted(neutral)), tuple(sorted(mixed))


@functools.cache
def _is_no_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSN"


def _mixed(piece: str, characters: set[str], mark: str) -> set[str]:
    """Those of `characters` that stand beside others in it."""
    return {
        left if left in characters else right
        for left, right in pairwise(piece)
        if mark not in (left, right) and (left in characters) != (right in characters)
    }
