"""Java's object serialization, as far as Spark NLP's fields use it: tuples, strings and boxed whole numbers.

The stream only describes data, and this reads it as such: no class is looked up, nothing of the stream is run. A class
that is not listed here, a listed one of another make, and whatever would ask a class for code of its own is an error.
Source: Java Object Serialization Specification, chapter 6; Java's DataInput for its UTF-8.
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

from tfclf.errors import CheckpointError

Value: TypeAlias = "str | int | tuple[Value, ...] | list[Value] | None"
# (type code, name) of each field, from the stream, by class; a subclass's own first.
_CLASSES: dict[str, tuple[tuple[str, str], ...]] = {
    "scala.Tuple2": (("L", "_1"), ("L", "_2")),
    "java.lang.Integer": (("I", "value"),),
    "java.lang.Long": (("J", "value"),),
    "java.lang.Number": (),
}
_NUMBERS = {"I": ("java.lang.Integer", ">i"), "J": ("java.lang.Long", ">q")}
_ARRAYS = ("[Lscala.Tuple2;", "[Ljava.lang.Object;", "[Ljava.lang.String;")
_MAGIC = b"\xac\xed\x00\x05"
_NULL, _REFERENCE, _CLASS, _OBJECT, _STRING, _ARRAY = range(0x70, 0x76)
_END, _LONG_STRING = 0x78, 0x7C
_FIRST_HANDLE = 0x7E0000
_SERIALIZABLE = 0x02
# An array of tuples of tuples of strings needs five.
_DEEPEST = 16
_LONGEST_NAME = 200


def read_object(content: bytes, *, origin: object) -> Value:
    """The one object of a stream: arrays as lists, tuples as tuples.

    Args:
      content: the whole stream; memory and depth stay within what its size allows.
      origin: how errors name the stream.
    Raises: CheckpointError for a class that is not known, or a damaged stream.
    """
    stream = _Stream(content, origin)
    if stream.take(4) != _MAGIC:
        raise stream.broken("it does not begin as a stream of Java objects, version 5")
    found = stream.value()
    if not stream.ended:
        raise stream.broken("it goes on after its object")
    return found


@dataclass(frozen=True)
class _Class:
    """A class as the stream describes it."""

    name: str
    fields: tuple[tuple[str, str], ...]
    above: "_Class | None"

    @property
    def all_fields(self) -> tuple[tuple[str, str], ...]:
        """Those of the classes above come first, as in the stream."""
        return (*(self.above.all_fields if self.above else ()), *self.fields)


class _Unfinished:
    """What an object's handle stands for until it is read to its end."""


class _Stream:
    def __init__(self, content: bytes, origin: object) -> None:
        self._content = content
        self._origin = origin
        self._place = 0
        self._depth = 0
        self._handles: list[Value | _Class | _Unfinished] = []

    def broken(self, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self._origin}: a record of it cannot be read: {found} (byte {self._place:,} of {len(self._content):,}). "
            f"Expected tuples, strings and whole numbers, as Spark NLP saves them; copy or download the model again."
        )

    @property
    def ended(self) -> bool:
        return self._place == len(self._content)

    def take(self, size: int) -> bytes:
        if size < 0 or size > len(self._content) - self._place:
            raise self.broken(f"it is cut short or damaged, {size:,} bytes more are due")
        self._place += size
        return self._content[self._place - size : self._place]

    def value(self) -> Value:
        """Any object: null, a string, an array, a tuple or a number."""
        code = self.take(1)[0]
        if code == _NULL:
            return None
        if code == _REFERENCE:
            found = self._referred()
            if isinstance(found, (_Class, _Unfinished)):
                raise self.broken("an object refers to itself, or to a class")
            return found
        if code in (_STRING, _LONG_STRING):
            return self._string(long=code == _LONG_STRING)
        if code not in (_OBJECT, _ARRAY):
            raise self.broken(f"0x{code:02x} stands where an object should begin")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.broken(f"objects lie within objects, more than {_DEEPEST} deep")
        made = self._array() if code == _ARRAY else self._object()
        self._depth -= 1
        return made

    def _referred(self) -> "Value | _Class | _Unfinished":
        handle = int.from_bytes(self.take(4), "big") - _FIRST_HANDLE
        if not 0 <= handle < len(self._handles):
            raise self.broken(f"it refers to object {handle:,} of {len(self._handles):,}")
        return self._handles[handle]

    def _string(self, *, long: bool = False) -> str:
        made = self._utf(8 if long else 2)
        self._handles.append(made)
        return made

    def _utf(self, size: int = 2) -> str:
        """Java's own UTF-8: two bytes for NUL, and a pair of surrogates for what lies above U+FFFF."""
        content = self.take(int.from_bytes(self.take(size), "big")).replace(b"\xc0\x80", b"\0")
        try:
            text = content.decode("utf-8", "surrogatepass")
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise self.broken("a string in it is not UTF-8") from error

    def _open(self) -> int:
        self._handles.append(_Unfinished())
        return len(self._handles) - 1

    def _array(self) -> Value:
        described = self._class()
        if described is None or described.name not in _ARRAYS:
            raise self._foreign(described)
        handle = self._open()
        (size,) = struct.unpack(">i", self.take(4))
        # Every element takes a byte at the least.
        if not 0 <= size <= len(self._content) - self._place:
            raise self.broken(f"an array of {size:,} elements, more than there are bytes left")
        made: Value = [self.value() for _ in range(size)]
        self._handles[handle] = made
        return made

    def _object(self) -> Value:
        described = self._class()
        if described is None or described.name not in _CLASSES:
            raise self._foreign(described)
        handle = self._open()
        fields = [self._field(code, described) for code, _ in described.all_fields]
        if described.name == "scala.Tuple2":
            made: Value = tuple(fields)
        elif len(fields) == 1:
            made = fields[0]
        else:
            raise self._foreign(described)
        self._handles[handle] = made
        return made

    def _field(self, code: str, described: _Class) -> Value:
        if code == "L":
            return self.value()
        name, layout = _NUMBERS[code]
        if described.name != name:
            raise self._foreign(described)
        (found,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(found)

    def _foreign(self, described: _Class | None) -> CheckpointError:
        name = described.name[:_LONGEST_NAME] if described else "null"
        return self.broken(
            f"it holds an object of the class {name!r}, which no field of a text classifier has"
        )

    def _class(self) -> _Class | None:
        """A class's description; it goes on with that of the class above, so that this counts as depth, too."""
        code = self.take(1)[0]
        if code == _NULL:
            return None
        if code == _REFERENCE:
            found = self._referred()
            if not isinstance(found, _Class):
                raise self.broken("an object's class refers to what is no class")
            return found
        if code != _CLASS:
            raise self.broken(f"0x{code:02x} stands where a class should be described")
        name = self._utf()
        self.take(8)  # serialVersionUID: it differs between versions of Scala, the fields do not
        handle = self._open()
        (flags,) = self.take(1)
        fields = tuple(self._described_field() for _ in range(int.from_bytes(self.take(2), "big")))
        # No other: what is known here writes no annotations, and their size is for a class's code to know.
        if self.take(1)[0] != _END:
            raise self.broken(
                f"the class {name[:_LONGEST_NAME]!r} comes with data that only its code can read"
            )
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.broken(f"classes above classes, more than {_DEEPEST}")
        described = _Class(name, fields, self._class())
        self._depth -= 1
        self._handles[handle] = described
        known = _CLASSES.get(name, () if name in _ARRAYS else None)
        if known is None:
            raise self._foreign(described)
        if flags != _SERIALIZABLE or fields != known:
            raise self.broken(
                f"the class {name!r} is not made as it was when this reader was written"
            )
        return described

    def _described_field(self) -> tuple[str, str]:
        code = chr(self.take(1)[0])
        name = self._utf()
        # The name of the field's class, which may be said by reference.
        if code in "L[" and not isinstance(self.value(), str):
            raise self.broken(
                f"the field {name[:_LONGEST_NAME]!r} of a class has no class of its own"
            )
        return code, name
