"""RE2 patterns that match exactly what they list, whatever Unicode tables RE2 was built with."""

from collections.abc import Iterable


def character_class(points: Iterable[int]) -> str:
    r"""Return an RE2 class of exactly these code points; neighbours become ranges.

    >>> print(character_class([0x61, 0x62, 0x63, 0x3B1]))
    [\x{61}-\x{63}\x{3b1}-\x{3b1}]
    """
    ranges: list[list[int]] = []
    for point in sorted(points):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "[" + "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges) + "]"


def literal(text: str) -> str:
    r"""Return an RE2 pattern that matches exactly this text.

    >>> print(literal("a.b"))
    \x{61}\x{2e}\x{62}
    """
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)
