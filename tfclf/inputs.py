r"""Texts as Python gives them: a string tensor comes out, or an error that says what came in.

Containers of other libraries (pandas, polars, NumPy, Arrow, TensorFlow) are told by what they can
do, so none of these libraries is imported for a check.

>>> list(encode_texts(["caf\u00e9", b"raw"]))
[b'caf\xc3\xa9', b'raw']
>>> check_texts("one text")
Traceback (most recent call last):
tfclf.errors.InputError: texts is a bare str 'one text'; expected a list of texts: [text].
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tfclf.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


# Values that stand for a missing text, by the names of their types: comparing pandas' NA gives NA,
# which has no truth value, and NumPy's masked value reads as 0.0.
_MISSING = ("NAType", "NaTType", "MaskedConstant")
LONG = ("truncate", "windows")


def check_long(long: str, stride: int | None, *, has_pairs: bool = False) -> None:
    """Check how long texts are to be read; a model may refuse a stride that is too large for it.

    Raises: InputError for options that do not exist, or do not go together.
    """
    if long not in LONG:
        raise InputError(f"long is {long!r}; expected {' or '.join(map(repr, LONG))}.")
    if long == "truncate" and stride is not None:
        raise InputError(
            f"stride is {stride!r} and long is 'truncate'; a stride is for long='windows'."
        )
    if long == "windows" and has_pairs:
        raise InputError(
            "long='windows' and pairs are given; windows are for single texts. "
            "Leave one of them out."
        )


@runtime_checkable
class IndexedTexts(Protocol):
    """Texts with a length and an order, which give a list: a list, a Series, an array, a tensor.

    >>> [isinstance(texts, IndexedTexts) for texts in (["a"], ("a",), iter("a"), {"a"})]
    [True, True, False, False]
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __getitem__(self, key: int, /) -> Any: ...


def as_text_tensor(texts: Any, *, name: str = "texts", start: int = 0) -> tf.Tensor:
    """Turn an iterable of str or bytes, or a string tensor, into string[batch].

    Args:
      start: the index of the first text, for messages.
    Raises: InputError for None, a bare string, numbers, nested lists, tensors of another dtype or
      rank.
    """
    import tensorflow as tf  # here: clients of a server use this module without TensorFlow

    if isinstance(texts, tf.RaggedTensor | tf.SparseTensor):
        raise InputError(
            f"{name} is a {type(texts).__name__}; expected one string per row: a list of str."
        )
    if tf.is_tensor(texts):
        if texts.dtype != tf.string or texts.shape.rank not in (1, None):
            shape = "" if texts.shape.rank is None else list(texts.shape)
            raise InputError(
                f"{name} is a tensor {texts.dtype.name}{shape}; expected string[batch]."
            )
        return texts
    return tf.constant(list(encode_texts(texts, name=name, start=start)), tf.string, shape=None)


def check_texts(texts: Any, *, name: str = "texts") -> None:
    """Refuse what cannot be a list of texts.

    >>> check_texts({"id": [7], "text": ["a"]})
    Traceback (most recent call last):
    tfclf.errors.InputError: texts is a dict with the columns 'id', 'text'; expected a list of str.
    Give one column, such as data["text"]: clf.predict(data["text"]).

    Raises: InputError for None, a number, a bare string; for a table: a DataFrame, a dict, an Arrow
      table; for an array or tensor that does not have one dimension.
    """
    kind = type(texts).__name__
    if isinstance(texts, str | bytes):
        raise InputError(
            f"{name} is a bare {kind} {_short(texts)}; expected a list of texts: [text]."
        )
    columns = table_columns(texts)
    if columns is not None:
        raise InputError(_refuse_table(name, kind, columns))
    rank = _count_dimensions(texts)
    if rank == 0:
        raise InputError(
            f"{name} is a single value, {kind} {_short(texts)}; expected a list of texts: [text]."
        )
    if rank is not None and rank > 1:
        shape = ", ".join(str(size) for size in texts.shape)
        raise InputError(
            f"{name} has {rank} dimensions ({kind} of shape [{shape}]); expected one text per row: "
            f"one dimension. Flatten it, or give one column."
        )
    if not isinstance(texts, Iterable):
        raise InputError(f"{name} is {_short(texts)} ({kind}); expected a list of str.")


def table_columns(texts: Any) -> list[Any] | None:
    """Return the names of a table's columns; None if it is no table."""
    if isinstance(texts, Mapping):
        return list(texts)
    # Tables of pandas, polars and Spark have `columns`, those of Arrow and Hugging Face datasets
    # `column_names`. Ask the type, because reading a lazy frame's columns may run its query.
    kind = type(texts)
    if hasattr(kind, "collect_schema"):  # polars warns if a lazy frame is asked for `columns`
        return list(texts.collect_schema().names())
    for attribute in ("column_names", "columns"):
        if hasattr(kind, attribute):
            columns = getattr(texts, attribute)
            return [] if columns is None else list(columns)  # None: a streamed data set
    return None


def _refuse_table(name: str, kind: str, columns: list[Any]) -> str:
    names = ", ".join(_short(column) for column in columns[:10])
    more = f" and {len(columns) - 10} more" if len(columns) > 10 else ""
    found = f"with the columns {names}{more}" if columns else "without columns"
    column = columns[0] if columns and "text" not in columns else "text"
    variable = "df" if kind.endswith("DataFrame") else "data"
    key = f'"{column}"' if isinstance(column, str) else repr(column)
    return (
        f"{name} is a {kind} {found}; expected a list of str. Give one column, such as "
        f"{variable}[{key}]: clf.predict({variable}[{key}])."
    )


def _count_dimensions(texts: Any) -> int | None:
    """Return the rank of an array or tensor; None for anything else, and for an unknown rank."""
    try:
        return len(texts.shape)
    except (AttributeError, TypeError, ValueError):
        return None


def count_texts(texts: Iterable[Any]) -> int | None:
    """Return the number of texts; None if it is not known before they are read.

    >>> count_texts(["a", "b"]), count_texts(iter(["a", "b"]))
    (2, None)
    """
    try:
        return len(texts) if isinstance(texts, Sized) else None
    except TypeError:  # a dataset of unknown or infinite length
        return None


def as_pairs(pair: Any) -> list[str] | None:
    """Return the pair of one text as a list of one; None stays None.

    Raises: InputError unless it is a str.
    """
    if pair is not None and not isinstance(pair, str):
        raise InputError(
            f"texts is one str and pairs is a {type(pair).__name__}; expected one str, too."
        )
    return None if pair is None else [pair]


def pair_rows(texts: Iterable[str], pairs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Iterate over rows of (text, pair), read side by side.

    >>> list(pair_rows(["a", "b"], iter(["c", "d"])))
    [('a', 'c'), ('b', 'd')]

    Raises: InputError if `pairs` cannot be a list of texts, or if the lengths differ: at once if
      both have a length, otherwise when the shorter one ends.
    """
    check_texts(pairs, name="pairs")
    counts = count_texts(texts), count_texts(pairs)
    if None not in counts and counts[0] != counts[1]:
        raise _unequal(f"there are {counts[0]} texts and {counts[1]} pairs")
    return _side_by_side(iter(texts), iter(pairs))


def _side_by_side(texts: Iterator[str], pairs: Iterator[str]) -> Iterator[tuple[str, str]]:
    end = object()
    for number, (text, pair) in enumerate(itertools.zip_longest(texts, pairs, fillvalue=end)):
        if pair is end:
            raise _unequal(f"pairs ended after {number}, and texts goes on")
        if text is end:
            raise _unequal(f"texts ended after {number}, and pairs goes on")
        yield text, pair  # type: ignore[misc]


def _unequal(found: str) -> InputError:
    return InputError(
        f"{found}; expected as many pairs as texts: pairs[i] is the second text of row i."
    )


def batch_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Deal rows out to batches of like length, the shortest first.

    >>> batch_by_length([3, 9, 2, 8, 4], 2)
    [[2, 0], [4, 3], [1]]

    Args:
      lengths: of each row, in any unit.
    Returns: the indices of each batch's rows.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def encode_texts(texts: Any, *, name: str = "texts", start: int = 0) -> Iterator[bytes]:
    """Encode each text as UTF-8; `start` is the index of the first one, for messages.

    A lone surrogate becomes invalid UTF-8, which the graph reads as U+FFFD.
    """
    check_texts(texts, name=name)
    for index, text in enumerate(texts, start):
        yield encode_text(text, name=name, index=index)


def encode_text(text: Any, *, name: str, index: int) -> bytes:
    """Encode one text, `texts[index]`.

    >>> encode_text(None, name="texts", index=3)
    Traceback (most recent call last):
    tfclf.errors.InputError: texts[3] is None (NoneType); expected str. A missing value? Replace it
    by '' first.

    Raises: InputError unless it is str or bytes, or a scalar that holds one: of Arrow, NumPy or
      TensorFlow.
    """
    value = unwrap_scalar(text)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise InputError(
        f"{name}[{index}] is {_short(value)} ({type(text).__name__}); expected str.{_advise(value)}"
    )


def unwrap_scalar(value: Any) -> Any:
    """Return what a scalar of Arrow, NumPy or TensorFlow holds; anything else as it is."""
    if isinstance(value, str | bytes) or type(value).__name__ in _MISSING:
        return value
    if hasattr(value, "as_py"):  # Arrow
        return value.as_py()
    if _count_dimensions(value) == 0:
        for method in ("numpy", "item"):  # an eager tensor; an array or scalar of NumPy
            if hasattr(value, method):
                return getattr(value, method)()
    return value


def _advise(value: Any) -> str:
    """Return what to do about a row that is no text, with a space before it."""
    is_nan = isinstance(value, float) and value != value
    if value is None or is_nan or type(value).__name__ in _MISSING:
        return " A missing value? Replace it by '' first."
    if isinstance(value, Mapping):
        return ' A row of a table? Give its text alone: (row["text"] for row in rows).'
    if isinstance(value, list | tuple) or _count_dimensions(value):
        return (
            " A batch of texts? Give one text per row: dataset.unbatch() for a dataset, flat lists "
            "otherwise. Two texts per row go in two lists: predict(texts, pairs=pairs)."
        )
    return ""


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
