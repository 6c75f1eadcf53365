"""How GPT-2's files write bytes: one character for each, so that any text can stand in a vocabulary."""

import functools
from collections.abc import Collection, Mapping

from tfclf.errors import VocabularyError

# 0xc0, 0xc1 and 0xf5 to 0xff occur in no text.
_OF_UTF8 = frozenset([*range(0xC0), *range(0xC2, 0xF5)])


@functools.cache
def byte_of() -> Mapping[str, int]:
    """Character -> byte: printable Latin-1 stands for itself, the others count up from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


def check_bytes(vocabulary: Collection[str], origin: str) -> None:
    """Whether there is a piece for every byte. Raises: VocabularyError."""
    missing = sorted(
        byte
        for character, byte in byte_of().items()
        if byte in _OF_UTF8 and character not in vocabulary
    )
    if missing:
        raise VocabularyError(
            f"{origin}: the vocabulary of {len(vocabulary)} pieces lacks {len(missing)} of the byte characters, the "
            f"first of them for byte 0x{missing[0]:02x}. Expected one for every byte that UTF-8 uses, so that no text "
            f"is lost; take the vocabulary that the checkpoint was trained with."
        )
