"""A trie over characters as one array, walked from every place of a text at once.

A double array (Aoe 1989) with random placement: the child of state s by character c stands in row
(base[s] + c) mod size, and the row says whose child it is. One gather is one step down, for all places together.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfclf.tokenization.code_point_table import CodePointTable

_NOBODY = -1
# Columns of the array.
_PARENT, _BASE, _PIECE = range(3)


class Trie(tf.Module):
    """Finds which of `pieces` start at each place of a text.

    Args:
      pieces: distinct strings, none empty.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        super().__init__()
        symbols = _symbols(pieces)
        # int32[n] code points -> int32[n]: the number of each among the pieces' characters; 0: none of them.
        self.symbols = CodePointTable(symbols)
        rows = _double_array(pieces, symbols)
        self._rows = tf.constant(rows)
        # The last two rows: the root, and the state of those that have fallen off; it is nobody's parent.
        self._root = len(rows) - 2
        self._mask = len(rows) - 3

    def matches(self, symbols: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Every piece at every place of int32[n] symbols; no piece holds the symbol 0.

        Returns: int32[matches] each: the piece, the place of its last character, its number of characters less 1.
        """
        # Places where a match may still go on, each with a state and its base; all go one character further at once.
        at = tf.cast(tf.where(symbols > 0), tf.int32)
        root = tf.gather(self._rows, self._root)
        going_on = tf.pad(at, [[0, 0], [2, 0]]) + tf.stack([self._root, root[_BASE], 0])
        symbols = tf.concat([symbols, [0]], axis=0)
        found = tf.TensorArray(tf.int32, size=0, dynamic_size=True, infer_shape=False, element_shape=[None, 3])

        def step(
            depth: tf.Tensor, going_on: tf.Tensor, found: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            states, bases, at = tf.unstack(going_on, axis=1)
            slots = tf.bitwise.bitwise_and(bases + tf.gather(symbols, at), self._mask)
            rows = tf.gather(self._rows, slots)
            down = tf.where(tf.equal(rows[:, _PARENT], states))[:, 0]
            rows = tf.gather(tf.concat([rows, tf.stack([slots, at], axis=1)], axis=1), down)
            _, bases, pieces, states, at = tf.unstack(rows, axis=1)
            found = found.write(depth, tf.stack([pieces, at, tf.fill(tf.shape(at), depth)], axis=1))
            return depth + 1, tf.stack([states, bases, at + 1], axis=1), found

        *_, found = tf.while_loop(
            lambda depth, going_on, _: (depth == 0) | (tf.size(going_on) > 0),
            step,
            (tf.constant(0), going_on, found),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3]), tf.TensorShape(None)),
        )
        matches = found.concat()
        pieces, ends, depths = tf.unstack(tf.gather(matches, tf.where(matches[:, 0] >= 0)[:, 0]), axis=1)
        return pieces, ends, depths


def _symbols(pieces: Sequence[str]) -> np.ndarray:
    """Code point -> number of the character, 0 for those in no piece."""
    numbers = np.zeros(0x110000, np.int32)
    characters = sorted(set().union(*pieces))
    numbers[[ord(character) for character in characters]] = np.arange(1, len(characters) + 1)
    return numbers


def _double_array(pieces: Sequence[str], symbols: np.ndarray) -> np.ndarray:
    """int32[size + 2, 3]; size is a power of two."""
    parents, edge_symbols, ends = _edges(pieces, symbols)
    count = len(parents)  # edges, and also nodes but the root: node 1 + e is what edge e leads to
    size = 1 << int(np.ceil(np.log2(max(1.4 * count, 2 * (symbols.max() + 1)))))
    bases, slots = _place(parents, edge_symbols, size)
    states = np.concatenate([[size], slots])  # of each node
    rows = np.full((size + 2, 3), _NOBODY, np.int32)
    rows[:, _BASE] = 0
    rows[slots, _PARENT] = states[parents]
    rows[states, _BASE] = bases
    rows[states[ends], _PIECE] = np.arange(len(pieces))
    return rows


def _edges(pieces: Sequence[str], symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parent node and symbol of each edge; the node where each piece ends. Node 0 is the root."""
    lengths = np.array([len(piece) for piece in pieces])
    points = np.frombuffer("".join(pieces).encode("utf-32-le"), np.uint32)
    starts = np.cumsum(lengths) - lengths
    nodes = np.zeros(len(pieces), np.int64)
    parents, edge_symbols, known = [], [], 1
    for depth in range(int(lengths.max())):
        going = np.flatnonzero(lengths > depth)
        keys = nodes[going] << 21 | symbols[points[starts[going] + depth]]
        distinct, inverse = np.unique(keys, return_inverse=True)
        nodes[going] = known + inverse
        known += len(distinct)
        parents.append(distinct >> 21)
        edge_symbols.append(distinct & 0x1FFFFF)
    return np.concatenate(parents), np.concatenate(edge_symbols), nodes


def _place(parents: np.ndarray, edge_symbols: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A base for each node, and the slot of each edge, so that no two edges share one."""
    dice = np.random.default_rng(0)
    bases = np.zeros(len(parents) + 1, np.int64)
    slots = np.zeros(len(parents), np.int64)
    free = np.ones(size, bool)
    children = np.bincount(parents, minlength=len(bases))
    of_edge = children[parents]
    # Those with many children first, as long as there is room.
    for most, least in ((np.inf, 1024), (1024, 256), (256, 64), (64, 16), (16, 6), (6, 3), (3, 2), (2, 1)):
        edges = np.flatnonzero((of_edge < most) & (of_edge >= least))
        while len(edges):
            nodes = np.unique(parents[edges])
            bases[nodes] = dice.integers(size, size=len(nodes))
            if least == 1:  # an only child takes what is left
                bases[parents[edges]] = dice.permutation(np.flatnonzero(free))[: len(edges)] - edge_symbols[edges]
            tried = (bases[parents[edges]] + edge_symbols[edges]) & (size - 1)
            first = np.zeros(len(edges), bool)
            first[np.unique(tried, return_index=True)[1]] = True
            failed = np.zeros(len(bases), bool)
            failed[parents[edges[~(first & free[tried])]]] = True
            placed = ~failed[parents[edges]]
            slots[edges[placed]] = tried[placed]
            free[tried[placed]] = False
            edges = edges[~placed]
    return bases & (size - 1), slots
