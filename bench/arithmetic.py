"""Count the operations that an encoder's arithmetic takes: what no engine can save."""

from collections.abc import Mapping
from typing import Any

import numpy as np

# As config.json names them.
DISTILBERT_BASE: Mapping[str, int] = {"n_layers": 6, "dim": 768, "hidden_dim": 3072}


def count_operations(
    lengths: np.ndarray, sizes: Mapping[str, Any], *, last_whole: bool = True
) -> float:
    """Count multiplications and additions of the encoder, padding left out.

    A token takes 2 operations for each weight of a layer's four products of attention and two of
    the feed-forward part, and 4 * hidden size for each token of its row.

    >>> sizes = {"n_layers": 1, "dim": 2, "hidden_dim": 3}
    >>> count_operations(np.array([10]), sizes)  # 10 * (2 * (4 * 2 * 2 + 2 * 2 * 3) + 4 * 2 * 10)
    1360.0

    Classification needs of the last layer every token's key and value, and the rest for the first
    token only:

    >>> # 10 * 2 * 2 * 2 * 2 + (2 * (2 * 2 * 2 + 2 * 2 * 3) + 4 * 2 * 10)
    >>> count_operations(np.array([10]), sizes, last_whole=False)
    280.0

    Args:
      lengths: tokens of each row.
      sizes: of a DistilBERT, as its config.json names them.
      last_whole: whether the last layer computes all of every token.
    """
    dim, inner = sizes["dim"], sizes["hidden_dim"]
    attention = 4 * dim * lengths
    layers = sizes["n_layers"] - (not last_whole)
    operations = layers * (lengths * (2 * (4 * dim * dim + 2 * dim * inner) + attention)).sum()
    if not last_whole:
        firsts = 2 * (2 * dim * dim + 2 * dim * inner) + attention
        operations += (lengths * 2 * 2 * dim * dim + firsts).sum()
    return float(operations)
