"""Java's object serialization, as far as Spark NLP's fields use it: tuples, strings, whole numbers.

The stream is read as data: no class is looked up, and nothing of the stream is run. These are
errors: a class that is not listed here, a listed class of another version, and data that only a
class's own code can read.
Source: Java Object Serialization Specification, chapter 6; Java's DataInput for its UTF-8.
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

from tfclf.errors import CheckpointError

Value: TypeAlias = "str | int | tuple[Value, ...] | list[Value] | None"
# The fields of each class as (type code, name); those of the class above are not repeated.
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
# An array of tuples of tuples of strings needs five levels.
_DEEPEST = 16
_LONGEST_NAME = 200


def read_object(content: bytes, *, origin: object) -> Value:
    r"""Read the one object of a stream; Java's arrays become lists, Scala's tuples tuples.

    >>> read_object(b"\xac\xed\x00\x05" + b"t\x00\x05World", origin="x")  # t: a string, 5 bytes
    'World'

    Args:
      content: the whole stream; memory and depth stay within what its size allows.
      origin: how errors name the stream.
    Raises: CheckpointError for an unknown class, or a damaged stream.
    """
    stream = _Stream(content, origin)
    if stream.take(4) != _MAGIC:
        raise stream.refuse("it does not begin as a stream of Java objects, version 5")
    value = stream.read_value()
    if not stream.ended:
        raise stream.refuse("it goes on after its object")
    return value


@dataclass(frozen=True)
class _Class:
    """A class as the stream describes it; `above` is the class that it extends."""

    name: str
    fields: tuple[tuple[str, str], ...]
    above: "_Class | None"

    @property
    def all_fields(self) -> tuple[tuple[str, str], ...]:
        """All fields; those of the classes above come first, as in the stream."""
        return (*(self.above.all_fields if self.above else ()), *self.fields)


class _Unfinished:
    """Stands under an object's handle until the object is read to its end."""


class _Stream:
    def __init__(self, content: bytes, origin: object) -> None:
        self._content = content
        self._origin = origin
        self._place = 0
        self._depth = 0
        self._handles: list[Value | _Class | _Unfinished] = []

    def refuse(self, flaw: str) -> CheckpointError:
        return CheckpointError(
            f"{self._origin}: a record of it cannot be read: {flaw} (byte {self._place:,} of "
            f"{len(self._content):,}). Expected tuples, strings and whole numbers, as Spark NLP "
            f"saves them; copy or download the model again."
        )

    @property
    def ended(self) -> bool:
        return self._place == len(self._content)

    def take(self, size: int) -> bytes:
        if size < 0 or size > len(self._content) - self._place:
            raise self.refuse(f"it is cut short or damaged, {size:,} more bytes are expected")
        self._place += size
        return self._content[self._place - size : self._place]

    def read_value(self) -> Value:
        """Read any object: null, a string, an array, a tuple or a number."""
        code = self.take(1)[0]
        if code == _NULL:
            return None
        if code == _REFERENCE:
            value = self._look_up()
            if isinstance(value, (_Class, _Unfinished)):
                raise self.refuse("an object refers to itself, or to a class")
            return value
        if code in (_STRING, _LONG_STRING):
            return self._read_string(long=code == _LONG_STRING)
        if code not in (_OBJECT, _ARRAY):
            raise self.refuse(f"0x{code:02x} does not begin an object")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.refuse(f"objects lie within objects, more than {_DEEPEST} deep")
        value = self._read_array() if code == _ARRAY else self._read_instance()
        self._depth -= 1
        return value

    def _look_up(self) -> "Value | _Class | _Unfinished":
        handle = int.from_bytes(self.take(4), "big") - _FIRST_HANDLE
        if not 0 <= handle < len(self._handles):
            raise self.refuse(f"it refers to object {handle:,} of {len(self._handles):,}")
        return self._handles[handle]

    def _read_string(self, *, long: bool = False) -> str:
        text = self._read_utf(8 if long else 2)
        self._handles.append(text)
        return text

    def _read_utf(self, size: int = 2) -> str:
        """Read Java's own UTF-8: two bytes for NUL, two surrogates for a character above U+FFFF."""
        content = self.take(int.from_bytes(self.take(size), "big")).replace(b"\xc0\x80", b"\0")
        try:
            text = content.decode("utf-8", "surrogatepass")
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise self.refuse("a string in it is not UTF-8") from error

    def _reserve_handle(self) -> int:
        self._handles.append(_Unfinished())
        return len(self._handles) - 1

    def _read_array(self) -> Value:
        kind = self._read_class()
        if kind is None or kind.name not in _ARRAYS:
            raise self._refuse_class(kind)
        handle = self._reserve_handle()
        (size,) = struct.unpack(">i", self.take(4))
        # An element takes at least one byte, so a larger size is false.
        if not 0 <= size <= len(self._content) - self._place:
            raise self.refuse(f"an array of {size:,} elements, more than there are bytes left")
        array: Value = [self.read_value() for _ in range(size)]
        self._handles[handle] = array
        return array

    def _read_instance(self) -> Value:
        kind = self._read_class()
        if kind is None or kind.name not in _CLASSES:
            raise self._refuse_class(kind)
        handle = self._reserve_handle()
        fields = [self._read_field(code, kind) for code, _ in kind.all_fields]
        if kind.name == "scala.Tuple2":
            value: Value = tuple(fields)
        elif len(fields) == 1:
            value = fields[0]
        else:
            raise self._refuse_class(kind)
        self._handles[handle] = value
        return value

    def _read_field(self, code: str, kind: _Class) -> Value:
        if code == "L":
            return self.read_value()
        name, layout = _NUMBERS[code]
        if kind.name != name:
            raise self._refuse_class(kind)
        (number,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(number)

    def _refuse_class(self, kind: _Class | None) -> CheckpointError:
        name = kind.name[:_LONGEST_NAME] if kind else "null"
        return self.refuse(
            f"it holds an object of the class {name!r}, which no field of a text classifier has"
        )

    def _read_class(self) -> _Class | None:
        """Read a class's description; that of the class above follows, and counts as depth."""
        code = self.take(1)[0]
        if code == _NULL:
            return None
        if code == _REFERENCE:
            referred = self._look_up()
            if not isinstance(referred, _Class):
                raise self.refuse("an object's class refers to an object")
            return referred
        if code != _CLASS:
            raise self.refuse(f"0x{code:02x} does not begin the description of a class")
        name = self._read_utf()
        # serialVersionUID: it differs between versions of Scala, the fields do not.
        self.take(8)
        handle = self._reserve_handle()
        (flags,) = self.take(1)
        fields = tuple(self._read_field_type() for _ in range(int.from_bytes(self.take(2), "big")))
        # The listed classes write no annotations, whose size only a class's code would know.
        if self.take(1)[0] != _END:
            raise self.refuse(
                f"the class {name[:_LONGEST_NAME]!r} comes with data that only its code can read"
            )
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.refuse(f"classes above classes, more than {_DEEPEST}")
        kind = _Class(name, fields, self._read_class())
        self._depth -= 1
        self._handles[handle] = kind
        known = _CLASSES.get(name, () if name in _ARRAYS else None)
        if known is None:
            raise self._refuse_class(kind)
        if flags != _SERIALIZABLE or fields != known:
            raise self.refuse(f"the class {name!r} is not of the version that this reader knows")
        return kind

    def _read_field_type(self) -> tuple[str, str]:
        code = chr(self.take(1)[0])
        name = self._read_utf()
        # The name of the field's class follows, as a string or a reference to one.
        if code in "L[" and not isinstance(self.read_value(), str):
            raise self.refuse(
                f"the field {name[:_LONGEST_NAME]!r} of a class does not name its own class"
            )
        return code, name
