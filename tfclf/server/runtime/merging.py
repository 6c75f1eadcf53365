"""Batches of arrays: which requests may share one, and how their rows are joined and split.

Source: TF Serving, batching_session.cc.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from grpc import StatusCode
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from tfclf.server.runtime.session import Output
from tfclf.server.status import RequestError

Feeds = Mapping[str, NDArray[Any]]


def count_rows(feeds: Feeds) -> int | None:
    """Return the first dimension that all inputs share.

    None if an input has no dimension, if they differ, or if there are no rows at all.

    >>> count_rows({"ids": np.zeros((2, 5)), "mask": np.zeros((2, 5))})
    2
    >>> count_rows({"ids": np.zeros((2, 5)), "threshold": np.zeros(())}) is None
    True
    """
    sizes = {array.shape[0] if array.ndim else 0 for array in feeds.values()}
    return (sizes.pop() or None) if len(sizes) == 1 else None


def batchable_tensors(signatures: Iterable[SignatureDef]) -> frozenset[str]:
    """Return the names of the tensors whose rows may come from several requests.

    The first dimension of an input must be unknown. The other dimensions of an output must be known
    as well. If they are not, as in rows of token ids padded to the longest, a request's outputs
    would depend on the other requests in its batch.
    """
    names: set[str] = set()
    for signature in signatures:
        names.update(info.name for info in signature.inputs.values() if _has_batch_dimension(info))
        names.update(info.name for info in signature.outputs.values() if _has_fixed_rows(info))
    return frozenset(names)


def _has_batch_dimension(info: TensorInfo) -> bool:
    shape = info.tensor_shape
    return not shape.unknown_rank and len(shape.dim) > 0 and shape.dim[0].size < 0


def _has_fixed_rows(info: TensorInfo) -> bool:
    return _has_batch_dimension(info) and all(dim.size >= 0 for dim in info.tensor_shape.dim[1:])


def batch_key(feeds: Feeds, fetches: Sequence[str], *, pad: bool) -> tuple[Any, ...]:
    """Return what requests must have in common to share a batch.

    Args:
      pad: whether rows are padded to one shape; then only their ranks must agree.
    """
    shapes = tuple(
        (name, array.dtype, array.ndim if pad else array.shape[1:]) for name, array in feeds.items()
    )
    return shapes, tuple(fetches)


def merge_feeds(
    requests: Sequence[Feeds], rows: int, *, allowed_sizes: Sequence[int], pad: bool
) -> tuple[Feeds, int]:
    """Join the rows of requests, and return them with the number of rows added as padding.

    >>> merged, padding = merge_feeds(
    ...     [{"ids": np.array([[7]])}, {"ids": np.array([[8, 9]])}], 2, allowed_sizes=[4], pad=True
    ... )
    >>> merged["ids"].tolist(), padding
    ([[7, 7], [8, 9], [8, 9], [8, 9]], 2)

    Args:
      requests: feeds with the same `batch_key`.
      rows: rows of all requests together.
      allowed_sizes: ascending; the batch is filled to the next of them with copies of a row, as
        TF Serving does it.
      pad: pads each tensor to the longest row with its own first element.
    """
    padding = next((size for size in allowed_sizes if size >= rows), rows) - rows
    merged = {}
    for name in requests[0]:
        arrays = [feeds[name] for feeds in requests]
        if pad:
            arrays = _pad_to_longest(arrays)
        if padding and len(arrays[-1]):
            arrays.append(np.repeat(arrays[-1][:1], padding, axis=0))
        merged[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return merged, padding


def _pad_to_longest(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    shape = np.max([array.shape[1:] for array in arrays], axis=0)
    padded = []
    for array in arrays:
        full = np.empty((len(array), *shape), array.dtype)
        full[...] = array.flat[0] if array.size else array.dtype.type()
        full[tuple(slice(size) for size in array.shape)] = array
        padded.append(full)
    return padded


def check_output_rows(outputs: Sequence[Output], rows: int) -> None:
    """Check that each output has a row for each input row. Raises: RequestError."""
    if any(output.array.ndim == 0 or len(output.array) != rows for output in outputs):
        raise RequestError(
            StatusCode.FAILED_PRECONDITION,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
            "sizes of the input tensors",
        )


def split_outputs(outputs: Sequence[Output], rows: Sequence[int]) -> list[list[Output]]:
    """Return each request's own rows of a batch's outputs; the batch's padding is dropped.

    >>> batch = [Output(np.array([0.1, 0.2, 0.3, 0.3]), 1)]
    >>> [part[0].array.tolist() for part in split_outputs(batch, [1, 2])]
    [[0.1], [0.2, 0.3]]
    """
    parts, start = [], 0
    for count in rows:
        end = start + count
        parts.append([Output(output.array[start:end], output.dtype) for output in outputs])
        start = end
    return parts


def split_feeds(feeds: Feeds, rows: int, *, largest: int) -> list[tuple[Feeds, int]]:
    """Cut a request into pieces of at most `largest` rows; return each with its number of rows."""
    return [
        (
            {name: array[start : start + largest] for name, array in feeds.items()},
            min(largest, rows - start),
        )
        for start in range(0, rows, largest)
    ]


def join_outputs(pieces: Sequence[Sequence[Output]]) -> list[Output]:
    """Concatenate the outputs of a request that ran in pieces."""
    return [
        Output(np.concatenate([part.array for part in parts]), parts[0].dtype)
        for parts in zip(*pieces, strict=True)
    ]
