"""SentencePiece's precompiled_charsmap: a double array over UTF-8 bytes, and its replacements.

Source: tokenizers 0.22 and its crate spm_precompiled; the format is Darts-clone's
(github.com/s-yata/darts-clone).
"""

import functools
import struct

import numpy as np

from tfclf.errors import UnknownComponentError

# Fields of a unit: the byte that leads to it, and whether a key ends here.
_LABEL = (1 << 31) | 0xFF
_HAS_LEAF = 1 << 8
_EXTENDED = 1 << 9
_LONGEST_KEY = 64  # bytes; a trie that goes deeper is taken for a broken one


@functools.lru_cache(maxsize=8)
def read_rules(charsmap: bytes) -> dict[str, str]:
    """Return key -> replacement for every key that no shorter one hides.

    The reference takes the shortest key. A charsmap that replaces every character by "x":

    >>> rules = read_rules(map_every_character("x", but="a"))
    >>> rules["b"], rules["\u4e2d"], "a" in rules
    ('x', 'x', False)

    Raises: UnknownComponentError if it is cut short, or has a key that is not UTF-8.
    """
    try:
        units, replacements = _split(charsmap)
        return {
            key.decode(): replacements[value : replacements.index(b"\0", value)].decode()
            for key, value in _list_keys(units)
        }
    except (struct.error, IndexError, ValueError, RecursionError) as error:
        raise UnknownComponentError(
            f"the normalizer's precompiled_charsmap of {len(charsmap)} bytes cannot be read "
            f"({error}). Expected that of the SentencePiece model that the checkpoint was trained "
            f"with; download tokenizer.json again."
        ) from error


def _split(charsmap: bytes) -> tuple[np.ndarray, bytes]:
    """Split a charsmap into uint32[units] and the replacements, each ended by NUL."""
    (size,) = struct.unpack_from("<I", charsmap)
    if size % 4 or 4 + size > len(charsmap):
        raise ValueError(f"its trie should take {size} bytes")
    return np.frombuffer(charsmap, "<u4", size // 4, 4), charsmap[4 + size :] + b"\0"


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & _EXTENDED) >> 6)


def _list_keys(units: np.ndarray) -> list[tuple[bytes, int]]:
    """Return the keys without a shorter key as prefix, and the offsets of their replacements."""
    labels = np.arange(1, 256, dtype=np.int64)
    keys: list[tuple[bytes, int]] = []
    waiting = [(b"", _offset(int(units[0])))]
    while waiting:
        prefix, base = waiting.pop()
        # The child by byte b stands at base XOR b, and repeats b as its label.
        children = base ^ labels
        inside = children < len(units)
        present = labels[inside][(units[children[inside]] & _LABEL) == labels[inside]]
        for label in present.tolist():
            unit = int(units[base ^ label])
            key, below = prefix + bytes([label]), (base ^ label) ^ _offset(unit)
            if unit & _HAS_LEAF:
                keys.append((key, int(units[below]) & 0x7FFFFFFF))
            elif len(key) < _LONGEST_KEY:
                waiting.append((key, below))
            else:
                raise ValueError("its trie has no end")
    return keys


def map_every_character(replacement: str, *, but: str) -> bytes:
    """Write a charsmap that maps each character of planes 0, 1 and 14 to one replacement.

    Args:
      but: the one character without a rule.
    """
    # Nodes are prefixes of UTF-8 sequences. Each has a block of 256 units for its children. Block 0
    # holds only the root; block 1 holds the values, all 0, the offset of the replacement.
    planes = [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xF0000)]
    keys = [chr(point).encode() for point in planes if chr(point) != but and point]
    prefixes = sorted({key[:length] for key in keys for length in range(len(key))})
    blocks = {prefix: index + 2 for index, prefix in enumerate(prefixes)}
    units = np.full(256 * (len(prefixes) + 2), 1 << 31, np.uint32)
    places = {b"": 0}
    for length in range(4):
        longer: dict[bytes, int] = {}
        for key in {key[: length + 1] for key in keys if len(key) > length}:
            longer[key] = 256 * blocks[key[:-1]] | (_low(places[key[:-1]]) ^ key[-1])
        places |= longer
    units[0] = _unit(0, 256 * blocks[b""], 0)
    for key, place in places.items():
        if not key:
            continue
        if key in blocks:
            units[place] = _unit(place, 256 * blocks[key], key[-1])
        else:
            units[place] = _unit(place, 256, key[-1]) | _HAS_LEAF
    return (
        struct.pack("<I", units.nbytes)
        + units.astype("<u4").tobytes()
        + replacement.encode()
        + b"\0"
    )


def _low(place: int) -> int:
    return place & 0xFF


def _unit(place: int, block: int, label: int) -> int:
    """Return a unit at `place` whose children stand in `block`, at byte XOR place's low byte."""
    return ((place ^ block) >> 8) << 10 | _EXTENDED | label
