"""Text from Python into a string tensor, or an error that says what came instead."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

from tfclf.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


def as_text_tensor(texts: Any, *, name: str = "texts") -> tf.Tensor:
    """str, bytes or a string tensor -> string[batch].

    Raises: InputError for None, a bare string, numbers, nested lists, tensors of another type or rank.
    """
    import tensorflow as tf  # here, because a client of a server needs the rest of this module without it

    if isinstance(texts, tf.RaggedTensor | tf.SparseTensor):
        raise InputError(
            f"{name} is a {type(texts).__name__}; expected one string a row: a list of str."
        )
    if tf.is_tensor(texts):
        if texts.dtype != tf.string or texts.shape.rank not in (1, None):
            raise InputError(
                f"{name} is a tensor {texts.dtype.name}{list(texts.shape) if texts.shape.rank is not None else ''}; "
                f"expected string[batch]."
            )
        return texts
    return tf.constant(list(encoded(texts, name=name)), tf.string, shape=None)


def check_several(texts: Any, *, name: str = "texts") -> None:
    """Raises: InputError for what cannot be several texts: None, a number, a bare string, a dict."""
    if isinstance(texts, str | bytes):
        raise InputError(
            f"{name} is a bare {type(texts).__name__} {_short(texts)}; expected a list of texts: [text]."
        )
    if not isinstance(texts, Iterable) or isinstance(texts, dict):
        raise InputError(
            f"{name} is {_short(texts)} ({type(texts).__name__}); expected a list of str."
        )


def as_pairs(pair: Any) -> list[str] | None:
    """The second text of one text, as `predict` takes those of several. Raises: InputError for what is none."""
    if pair is not None and not isinstance(pair, str):
        raise InputError(
            f"texts is one str and pairs is a {type(pair).__name__}; expected one str, too."
        )
    return None if pair is None else [pair]


def paired(texts: Iterable[str], pairs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each text with its pair, read side by side.

    Raises: InputError for what cannot be several pairs, and where there are more of the one than of the other: at
    once where both know their length, else where the shorter ends.
    """
    check_several(pairs, name="pairs")
    if isinstance(texts, Sized) and isinstance(pairs, Sized) and len(texts) != len(pairs):
        raise _unequal(f"there are {len(texts)} texts and {len(pairs)} pairs")
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


def encoded(texts: Any, *, name: str = "texts") -> Iterator[bytes]:
    """Each text as UTF-8; lone surrogates, which are no text, become invalid UTF-8 and so U+FFFD in the graph."""
    check_several(texts, name=name)
    for index, text in enumerate(texts):
        yield encoded_text(text, name=name, index=index)


def encoded_text(text: Any, *, name: str, index: int) -> bytes:
    """`texts[index]` as `encoded` gives it."""
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, bytes):
        return text
    hint = " A missing value? Replace it by '' first." if text is None or text != text else ""
    raise InputError(
        f"{name}[{index}] is {_short(text)} ({type(text).__name__}); expected str.{hint}"
    )


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
