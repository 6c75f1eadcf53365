"""Valid UTF-8 from raw bytes, and two helpers that keep ASCII text fast."""

import tensorflow as tf


def is_ascii(text: tf.Tensor) -> tf.Tensor:
    """Return bool[n]: whether each of string[n] is pure ASCII.

    >>> is_ascii(tf.constant(["news", "caf\u00e9", ""])).numpy().tolist()
    [True, False, True]
    """
    return tf.strings.regex_full_match(text, r"[\x00-\x7f]*")


def change_where(
    condition: tf.Tensor,
    text: tf.Tensor,
    change: tf.types.experimental.GenericFunction,
    *,
    otherwise: tf.Tensor | None = None,
) -> tf.Tensor:
    """Apply `change` only to the rows of string[n] that meet the condition; free if none does.

    >>> text = tf.constant(["a", "b", "c"])
    >>> change_where(tf.constant([False, True, True]), text, tf.strings.upper).numpy().tolist()
    [b'a', b'B', b'C']

    Args:
      condition: bool[n].
      change: string[m] -> string[m].
      otherwise: string[n], the source of the other rows; None: they stay as they are.
    """
    rows = tf.where(condition)
    others = text if otherwise is None else otherwise
    return tf.cond(
        tf.size(rows) > 0,
        lambda: tf.tensor_scatter_nd_update(others, rows, change(tf.gather_nd(text, rows))),
        lambda: others,
    )


def replace_invalid(text: tf.Tensor) -> tf.Tensor:
    r"""Replace each malformed sequence with U+FFFD, as Python's errors="replace" does.

    >>> replace_invalid(tf.constant([b"caf\xe9", b"news"])).numpy().tolist()
    [b'caf\xef\xbf\xbd', b'news']
    """
    return change_where(
        ~tf.strings.regex_full_match(text, r"[\x00-\x{d7ff}\x{e000}-\x{10ffff}]*"),
        text,
        lambda rows: tf.strings.unicode_transcode(rows, "UTF-8", "UTF-8", errors="replace"),
    )
