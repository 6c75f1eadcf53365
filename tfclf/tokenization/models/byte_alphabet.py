"""GPT-2's byte alphabet: one printable character for each byte, so that vocabularies are text."""

import functools
from collections.abc import Collection, Mapping

from tfclf.errors import VocabularyError

# 0xc0, 0xc1 and 0xf5 to 0xff occur in no valid UTF-8.
_OF_UTF8 = frozenset([*range(0xC0), *range(0xC2, 0xF5)])


@functools.cache
def byte_of() -> Mapping[str, int]:
    r"""Return character -> byte: printable Latin-1 is itself, the others count up from U+0100.

    >>> byte_of()["a"], byte_of()["\u00e9"], byte_of()["\u0120"]
    (97, 233, 32)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


def check_bytes(vocabulary: Collection[str], origin: str) -> None:
    """Check that every byte of UTF-8 has a piece. Raises: VocabularyError."""
    missing = sorted(
        byte
        for character, byte in byte_of().items()
        if byte in _OF_UTF8 and character not in vocabulary
    )
    if missing:
        raise VocabularyError(
            f"{origin}: the vocabulary of {len(vocabulary)} pieces lacks {len(missing)} of the "
            f"byte characters, the first of them for byte 0x{missing[0]:02x}. Expected one for "
            f"every byte that UTF-8 uses; without it, text is lost. Take the vocabulary that the "
            f"checkpoint was trained with."
        )
