r"""A trie over characters as a double array (Aoe 1989), descended from many nodes at once.

The child of a node by symbol c stands at row base + c, where `base` is the node's own number that
no other node has. That row holds the base of its parent, so one comparison tells whether the child
exists. One gather is one step down.

>>> trie = Trie(["a", "ab", "b", "\ud800"], np.array([-1.0, -2.0, -3.0, -9.0]), "\ud800")
>>> symbols = trie.symbols(tf.constant([ord("a"), ord("b"), ord("x")]))
>>> symbols.numpy().tolist()  # x is in no piece, and is numbered like the stand-in, \ud800
[0, 1, 2]
>>> exists, nodes, scores, bases = trie.descend(tf.fill([2], trie.root), symbols[:2])
>>> exists.numpy().tolist(), scores.numpy().tolist()  # a and b
([True, True], [-1.0, -3.0])
>>> exists, nodes, scores, bases = trie.descend(bases, tf.repeat(symbols[1], 2))
>>> exists.numpy().tolist(), scores.numpy().tolist()  # ab, but no bb
([True, False], [-2.0, -inf])
>>> tf.gather(trie.by_node(np.array([10, 11, 12, 13])), nodes[:1]).numpy().tolist()
[11]
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfclf.tokenization.code_point_table import CodePointTable

_NONE = -1
_BITS = 21  # of a code point, and so of a symbol
# Initial size: 1.35 x nodes. Grow by 1/8 after every 16 failed placement rounds.
_ROWS_PER_NODE, _ROUNDS = 1.35, 16
# Classes of numbers of children, as (below, from); the last one is the only children.
_BY_CHILDREN = (
    (np.inf, 1024),
    (1024, 256),
    (256, 64),
    (64, 16),
    (16, 6),
    (6, 3),
    (3, 2),
    (2, 1),
)


class Trie(tf.Module):
    """The prefixes of `pieces`, each a node.

    Args:
      pieces: distinct strings, none empty.
      scores: float64[pieces]; prefixes that are no piece get -inf.
      other: one of the pieces, a single character that stands for all characters in no piece.
    """

    def __init__(self, pieces: Sequence[str], scores: np.ndarray, other: str) -> None:
        super().__init__()
        numbers = _number_characters(pieces, other)
        # int32[n] code points -> int32[n] symbols.
        self.symbols = CodePointTable(numbers)
        parents, edge_symbols, ends = _list_edges(pieces, numbers)
        symbols = int(numbers.max()) + 1
        # Dead-end base: no child matches from here.
        bases, nodes, self._dead_end = _place_nodes(parents, edge_symbols, symbols)
        self._ends = nodes[ends]  # the node of each piece
        self.root = int(bases[0])
        parent = np.full(self._dead_end + symbols, _NONE, np.int32)
        parent[nodes[1:]] = bases[parents]
        base = np.full_like(parent, self._dead_end)
        base[nodes[1:]] = np.where(bases[1:] == _NONE, self._dead_end, bases[1:])
        score = np.full(len(parent), -np.inf)
        score[self._ends] = scores
        # int32[rows, 4]: parent's base, own base, and the two halves of a float64 score, so that
        # one gather reads everything about a node.
        self._rows = tf.constant(
            np.column_stack([parent, base, score.view(np.int32).reshape(-1, 2)])
        )

    def descend(
        self, bases: tf.Tensor, symbols: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Go from int32[...] bases to their children by int32 symbols of a compatible shape.

        Returns: bool[...], whether the child exists; int32[...] nodes, arbitrary if it does not;
          float64[...] scores; int32[...] bases of the children, the dead end if there is none.
        """
        nodes = bases + symbols
        rows = tf.gather(self._rows, nodes)
        exists = tf.equal(rows[..., 0], bases)
        scores = tf.where(exists, tf.bitcast(rows[..., 2:], tf.float64), -np.inf)
        return exists, nodes, scores, tf.where(exists, rows[..., 1], self._dead_end)

    def by_node(self, of_pieces: np.ndarray) -> tf.Tensor:
        """Return [nodes]: the value of the piece that each node is; 0 for mere prefixes."""
        values = np.zeros(self._dead_end, of_pieces.dtype)
        values[self._ends] = of_pieces
        return tf.constant(values)


def _number_characters(pieces: Sequence[str], other: str) -> np.ndarray:
    """Return int32[0x110000]: the number of each character among those of the pieces."""
    characters = sorted(set().union(*pieces))
    numbers = np.full(0x110000, characters.index(other), np.int32)
    numbers[[ord(character) for character in characters]] = np.arange(len(characters))
    return numbers


def _list_edges(
    pieces: Sequence[str], symbols: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the trie's edges level by level; the root is node 0, and edge e leads to node e + 1.

    Nodes here are 1 "a", 2 "b", 3 "ab":

    >>> pieces = ["a", "ab", "b"]
    >>> edges = _list_edges(pieces, _number_characters(pieces, "b"))
    >>> [part.tolist() for part in edges]
    [[0, 0, 1], [0, 1, 1], [1, 3, 2]]

    Returns: int[edges] parent nodes, int[edges] symbols, int[pieces] node where each piece ends.
    """
    lengths = np.array([len(piece) for piece in pieces])
    points = np.frombuffer("".join(pieces).encode("utf-32-le", errors="surrogatepass"), np.uint32)
    starts = np.cumsum(lengths) - lengths
    nodes = np.zeros(len(pieces), np.int64)
    parents, edge_symbols, known = [], [], 1
    for depth in range(int(lengths.max())):
        longer = np.flatnonzero(lengths > depth)
        # A key is (node reached so far, next symbol) in one integer; equal keys share an edge.
        keys = nodes[longer] << _BITS | symbols[points[starts[longer] + depth]]
        distinct, inverse = np.unique(keys, return_inverse=True)
        nodes[longer] = known + inverse
        known += len(distinct)
        parents.append(distinct >> _BITS)
        edge_symbols.append(distinct & (1 << _BITS) - 1)
    return np.concatenate(parents), np.concatenate(edge_symbols), nodes


def _place_nodes(
    parents: np.ndarray, edge_symbols: np.ndarray, symbols: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Choose a base for each node with children, and thereby a distinct row for each node.

    Every round draws a random base for each node still unplaced, and keeps those whose base is
    unused and whose children all fall on free rows.

    Returns: int[nodes] bases, int[nodes] rows (none for the root), and the number of rows. No base
      or row is 0; -1 stands for none.
    """
    dice = np.random.default_rng(0)
    children = np.bincount(parents, minlength=len(parents) + 1)
    bases = np.full(len(children), _NONE)
    rows = np.full(len(children), _NONE)
    size = int(_ROWS_PER_NODE * len(parents)) + symbols
    free, unused = np.ones(size + symbols, bool), np.ones(size + symbols, bool)
    siblings = children[parents]
    # Nodes with many children first, while there is space for them.
    for below, least in _BY_CHILDREN:
        edges = np.flatnonzero((siblings < below) & (siblings >= least))
        rounds = 0
        while len(edges):
            nodes, node = np.unique(parents[edges], return_inverse=True)
            tried = dice.integers(1, size, size=len(nodes))
            if least == 1:  # an only child fits any free row
                left = np.resize(dice.permutation(np.flatnonzero(free)), len(edges))
                tried = np.maximum(left - edge_symbols[edges], 1)
            wanted = tried[node] + edge_symbols[edges]
            fits = unused[tried] & _mask_first_occurrences(tried)
            fits[node[~(free[wanted] & _mask_first_occurrences(wanted))]] = False
            placed = fits[node]
            bases[nodes[fits]] = tried[fits]
            rows[edges[placed] + 1] = wanted[placed]
            unused[tried[fits]] = free[wanted[placed]] = False
            edges = edges[~placed]
            rounds += 1
            if rounds % _ROUNDS == 0:
                more = np.ones(size // 8 + 1, bool)
                size += len(more)
                free, unused = np.append(free, more), np.append(unused, more)
    return bases, rows, size + symbols


def _mask_first_occurrences(values: np.ndarray) -> np.ndarray:
    """Mark the first of each group of equal values.

    >>> _mask_first_occurrences(np.array([4, 7, 4])).tolist()
    [True, True, False]
    """
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
