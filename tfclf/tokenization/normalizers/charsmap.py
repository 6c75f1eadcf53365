"""SentencePiece's precompiled_charsmap: a double array over UTF-8 bytes, and the replacements that it points to.

Source: tokenizers 0.22 and its crate spm_precompiled; the format is Darts-clone's (github.com/s-yata/darts-clone).
"""

import functools
import struct

import numpy as np

from tfclf.errors import UnknownComponentError

_LABEL = (1 << 31) | 0xFF
_HAS_LEAF = 1 << 8
_EXTENDED = 1 << 9


@functools.lru_cache(maxsize=8)
def rules(charsmap: bytes) -> dict[str, str]:
    """Key -> replacement, of every key that no shorter one hides: the reference takes the shortest.

    Raises: UnknownComponentError if it is cut short, or has a key that is no text.
    """
    try:
        units, replacements = _parts(charsmap)
        return {
            key.decode(): replacements[value : replacements.index(b"\0", value)].decode()
            for key, value in _keys(units)
        }
    except (struct.error, IndexError, ValueError, RecursionError) as error:
        raise UnknownComponentError(
            f"the normalizer's precompiled_charsmap of {len(charsmap)} bytes cannot be read ({error}). Expected that "
            f"of the SentencePiece model that the checkpoint was trained with; download tokenizer.json again."
        ) from error


def _parts(charsmap: bytes) -> tuple[np.ndarray, bytes]:
    (size,) = struct.unpack_from("<I", charsmap)
    if size % 4 or 4 + size > len(charsmap):
        raise ValueError(f"its trie should take {size} bytes")
    return np.frombuffer(charsmap, "<u4", size // 4, 4), charsmap[4 + size :] + b"\0"


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & _EXTENDED) >> 6)


def _keys(units: np.ndarray) -> list[tuple[bytes, int]]:
    labels = np.arange(1, 256, dtype=np.int64)
    found: list[tuple[bytes, int]] = []
    waiting = [(b"", _offset(int(units[0])))]
    while waiting:
        prefix, base = waiting.pop()
        children = base ^ labels
        inside = children < len(units)
        there = labels[inside][(units[children[inside]] & _LABEL) == labels[inside]]
        for label in there.tolist():
            unit = int(units[base ^ label])
            key, below = prefix + bytes([label]), (base ^ label) ^ _offset(unit)
            if unit & _HAS_LEAF:
                found.append((key, int(units[below]) & 0x7FFFFFFF))
            elif len(key) < 64:
                waiting.append((key, below))
            else:
                raise ValueError("its trie has no end")
    return found


def of_every_character(replacement: str, *, but: str) -> bytes:
    """A charsmap whose keys are the characters of planes 0, 1 and 14, all with one `replacement`; none for `but`."""
    # Nodes are prefixes of UTF-8 sequences; each has a block of 256 units for its children. Block 0 holds the root
    # alone, and block 1 nothing but values, which are all 0, the place of the replacement.
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
        if key:
            leaf = key not in blocks
            units[place] = _unit(place, 256 * (1 if leaf else blocks[key]), key[-1]) | (
                _HAS_LEAF if leaf else 0
            )
    return (
        struct.pack("<I", units.nbytes)
        + units.astype("<u4").tobytes()
        + replacement.encode()
        + b"\0"
    )


def _low(place: int) -> int:
    return place & 0xFF


def _unit(place: int, block: int, label: int) -> int:
    """A unit at `place` whose children stand in `block`, at label ^ the low byte of `place`."""
    return ((place ^ block) >> 8) << 10 | _EXTENDED | label
