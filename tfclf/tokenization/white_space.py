r"""RE2 classes of white space, as Rust's `char::is_whitespace` defines it.

>>> print(ASCII_WHITE_SPACE)
[\x{9}-\x{d}\x{20}-\x{20}]
"""

from tfclf.tokenization.patterns import character_class

# Unicode's White_Space, unchanged since Unicode 6.3.
_ASCII = [*range(0x9, 0xE), 0x20]
_OTHER = [0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
WHITE_SPACE = character_class(_ASCII + _OTHER)
ASCII_WHITE_SPACE, OTHER_WHITE_SPACE = character_class(_ASCII), character_class(_OTHER)
