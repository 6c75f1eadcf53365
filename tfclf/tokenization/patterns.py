"""RE2 patterns that mean just what they list, whatever Unicode tables RE2 was built with."""

from collections.abc import Iterable


def character_class(points: Iterable[int]) -> str:
    """An RE2 class of exactly these code points, independent of RE2's own Unicode tables."""
    ranges: list[list[int]] = []
    for point in sorted(points):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "[" + "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges) + "]"


def literal(text: str) -> str:
    """An RE2 pattern of exactly this text."""
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)
