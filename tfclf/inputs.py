r"""Texts as Python gives them: a string tensor comes out, or an error that says what came in.

>>> list(encode_texts(["caf\u00e9", b"raw"]))
[b'caf\xc3\xa9', b'raw']
>>> check_texts("one text")
Traceback (most recent call last):
tfclf.errors.InputError: texts is a bare str 'one text'; expected a list of texts: [text].
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

from tfclf.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


def as_text_tensor(texts: Any, *, name: str = "texts") -> tf.Tensor:
    """Turn an iterable of str or bytes, or a string tensor, into string[batch].

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
    return tf.constant(list(encode_texts(texts, name=name)), tf.string, shape=None)


def check_texts(texts: Any, *, name: str = "texts") -> None:
    """Refuse what cannot be a list of texts.

    Raises: InputError for None, a number, a bare string, a dict.
    """
    if isinstance(texts, str | bytes):
        raise InputError(
            f"{name} is a bare {type(texts).__name__} {_short(texts)}; "
            f"expected a list of texts: [text]."
        )
    if not isinstance(texts, Iterable) or isinstance(texts, dict):
        raise InputError(
            f"{name} is {_short(texts)} ({type(texts).__name__}); expected a list of str."
        )


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


def encode_texts(texts: Any, *, name: str = "texts") -> Iterator[bytes]:
    """Encode each text as UTF-8.

    A lone surrogate becomes invalid UTF-8, which the graph reads as U+FFFD.
    """
    check_texts(texts, name=name)
    for index, text in enumerate(texts):
        yield encode_text(text, name=name, index=index)


def encode_text(text: Any, *, name: str, index: int) -> bytes:
    """Encode one text, `texts[index]`. Raises: InputError unless it is str or bytes."""
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
