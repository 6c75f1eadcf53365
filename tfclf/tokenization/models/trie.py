"""A trie over characters as a double array (Aoe 1989), which TensorFlow walks from many places at once.

The child of a node by symbol c stands at the node's base + c, and the row there says whose child it is by that base,
which no other node has. One look at a row is one step down.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfclf.tokenization.code_point_table import CodePointTable

_NOBODY = -1
_BITS = 21  # of a code point, and so of a symbol
# A third more rows than nodes to begin with, and an eighth more whenever so many throws found no place for some node.
_ROOM, _THROWS = 1.35, 16


class Trie(tf.Module):
    """The beginnings of `pieces`, each a node.

    Args:
      pieces: distinct strings, none empty.
      scores: float64[pieces]; beginnings that are no piece have -inf.
      other: one of the pieces, a character that stands for all that are in no piece.
    """

    def __init__(self, pieces: Sequence[str], scores: np.ndarray, other: str) -> None:
        super().__init__()
        numbers = _symbols(pieces, other)
        # int32[n] code points -> int32[n] symbols.
        self.symbols = CodePointTable(numbers)
        parents, edge_symbols, ends = _edges(pieces, numbers)
        symbols = int(numbers.max()) + 1
        # Those that have fallen off see nobody's children from here, behind all nodes.
        bases, nodes, self._off = _place(parents, edge_symbols, symbols)
        self._ends = nodes[ends]  # of each piece the node
        self.root = int(bases[0])
        parent = np.full(self._off + symbols, _NOBODY, np.int32)
        parent[nodes[1:]] = bases[parents]
        base = np.full_like(parent, self._off)
        base[nodes[1:]] = np.where(bases[1:] == _NOBODY, self._off, bases[1:])
        score = np.full(len(parent), -np.inf)
        score[self._ends] = scores
        # Side by side, so that one look finds all there is to know.
        self._rows = tf.constant(
            np.column_stack([parent, base, score.view(np.int32).reshape(-1, 2)])
        )

    def down(
        self, bases: tf.Tensor, symbols: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """The children of int32[...] bases by int32 symbols of a shape that goes with it.

        Returns: bool[...] whether there is one, int32[...] nodes (anything where there is none), float64[...] scores,
          and the int32[...] bases of the children.
        """
        nodes = bases + symbols
        rows = tf.gather(self._rows, nodes)
        there = tf.equal(rows[..., 0], bases)
        scores = tf.where(there, tf.bitcast(rows[..., 2:], tf.float64), -np.inf)
        return there, nodes, scores, tf.where(there, rows[..., 1], self._off)

    def by_node(self, of_pieces: np.ndarray) -> tf.Tensor:
        """[nodes]: what is said of the piece that a node is; 0 for beginnings that are no piece."""
        values = np.zeros(self._off, of_pieces.dtype)
        values[self._ends] = of_pieces
        return tf.constant(values)


def _symbols(pieces: Sequence[str], other: str) -> np.ndarray:
    """Code point -> number of the character among those of the pieces."""
    characters = sorted(set().union(*pieces))
    numbers = np.full(0x110000, characters.index(other), np.int32)
    numbers[[ord(character) for character in characters]] = np.arange(len(characters))
    return numbers


def _edges(pieces: Sequence[str], symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parent node and symbol of each edge, which leads to node edge + 1, and the node where each piece ends.

    The root is node 0.
    """
    lengths = np.array([len(piece) for piece in pieces])
    points = np.frombuffer("".join(pieces).encode("utf-32-le", errors="surrogatepass"), np.uint32)
    starts = np.cumsum(lengths) - lengths
    nodes = np.zeros(len(pieces), np.int64)
    parents, edge_symbols, known = [], [], 1
    for depth in range(int(lengths.max())):
        going = np.flatnonzero(lengths > depth)
        keys = nodes[going] << _BITS | symbols[points[starts[going] + depth]]
        distinct, inverse = np.unique(keys, return_inverse=True)
        nodes[going] = known + inverse
        known += len(distinct)
        parents.append(distinct >> _BITS)
        edge_symbols.append(distinct & (1 << _BITS) - 1)
    return np.concatenate(parents), np.concatenate(edge_symbols), nodes


def _place(
    parents: np.ndarray, edge_symbols: np.ndarray, symbols: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """A base for each node that has children, and a row for each node but the root, so that none share one.

    Returns: int[nodes] bases and rows, none of them 0, and the number of rows.
    """
    dice = np.random.default_rng(0)
    children = np.bincount(parents, minlength=len(parents) + 1)
    bases = np.full(len(children), _NOBODY)
    rows = np.full(len(children), _NOBODY)
    size = int(_ROOM * len(parents)) + symbols
    free, unused = np.ones(size + symbols, bool), np.ones(size + symbols, bool)
    of_edge = children[parents]
    # Those with many children first, as long as there is room.
    for most, least in (
        (np.inf, 1024),
        (1024, 256),
        (256, 64),
        (64, 16),
        (16, 6),
        (6, 3),
        (3, 2),
        (2, 1),
    ):
        edges = np.flatnonzero((of_edge < most) & (of_edge >= least))
        throws = 0
        while len(edges):
            nodes, node = np.unique(parents[edges], return_inverse=True)
            tried = dice.integers(1, size, size=len(nodes))
            if least == 1:  # an only child takes what is left
                left = np.resize(dice.permutation(np.flatnonzero(free)), len(edges))
                tried = np.maximum(left - edge_symbols[edges], 1)
            wanted = tried[node] + edge_symbols[edges]
            fits = unused[tried] & _first_of_its_kind(tried)
            fits[node[~(free[wanted] & _first_of_its_kind(wanted))]] = False
            placed = fits[node]
            bases[nodes[fits]] = tried[fits]
            rows[edges[placed] + 1] = wanted[placed]
            unused[tried[fits]] = free[wanted[placed]] = False
            edges = edges[~placed]
            throws += 1
            if throws % _THROWS == 0:
                more = np.ones(size // 8 + 1, bool)
                size, free, unused = (
                    size + len(more),
                    np.append(free, more),
                    np.append(unused, more),
                )
    return bases, rows, size + symbols


def _first_of_its_kind(values: np.ndarray) -> np.ndarray:
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
