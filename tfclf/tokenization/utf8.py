"""Raw bytes to valid UTF-8, and the two questions that keep ASCII text fast."""

import tensorflow as tf


def is_ascii(text: tf.Tensor) -> tf.Tensor:
    """bool[n]: which of string[n] hold nothing but ASCII."""
    return tf.strings.regex_full_match(text, r"[\x00-\x7f]*")


def only_where(
    condition: tf.Tensor,
    text: tf.Tensor,
    change: tf.types.experimental.GenericFunction,
    *,
    otherwise: tf.Tensor | None = None,
) -> tf.Tensor:
    """`change`s the rows of string[n] that meet the condition; costs nothing if none does.

    The others stay as they are, or are those of string[n] `otherwise`.
    """
    rows = tf.where(condition)
    others = text if otherwise is None else otherwise
    return tf.cond(
        tf.size(rows) > 0,
        lambda: tf.tensor_scatter_nd_update(others, rows, change(tf.gather_nd(text, rows))),
        lambda: others,
    )


def valid_utf8(text: tf.Tensor) -> tf.Tensor:
    """Each malformed sequence becomes U+FFFD, as Python's errors="replace" has it."""
    return only_where(
        ~tf.strings.regex_full_match(text, r"[\x00-\x{d7ff}\x{e000}-\x{10ffff}]*"),
        text,
        lambda rows: tf.strings.unicode_transcode(rows, "UTF-8", "UTF-8", errors="replace"),
    )
