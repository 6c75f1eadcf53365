"""The lean encoder: embeddings, layers, head."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfclf.families import Family
from tfclf.graph.engines.lean import bucketed, packed, positions
from tfclf.graph.engines.lean.layout import Layout, Norm
from tfclf.graph.engines.lean.sizes import Sizes
from tfclf.graph.engines.lean.weights import (
    Dense,
    Embeddings,
    Formats,
    LastLayerValues,
    Layer,
    LayerValues,
    MakeProduct,
    NormShapes,
    NormValues,
    Product,
    Source,
    count_parts,
)
from tfclf.graph.framing import Batch
from tfclf.graph.tracing import trace_once
from tfclf.saved_model.buckets import Ladder

_PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}
# A tile of AMX has 16 rows, so padding tokens to whole tiles costs little, and spares oneDNN a new
# kernel for most numbers of tokens. In float32 it costs as much as it spares.
_TOKEN_MULTIPLES = {tf.float32: 1, tf.bfloat16: 16}
# Attention over padding is masked, and cheap beside the rest of a layer.
_LENGTH_MULTIPLE = 16


class LeanEngine(tf.Module):
    """Rows of token ids -> float32[batch, classes], in the packed or, for XLA, the bucketed layout.

    Args:
      family, config: describe the encoder.
      model: an instance of the family's TF class, or its variables by the family's names. They are
        copied.
      precision: 'float32' or 'bfloat16', of the arithmetic; logits are always float32.
      storage: 'float16' halves the file; exact only if every weight is a float16 value.
      ladder: the shapes of the bucketed layout; None without that layout.
      make_product: makes the variables of each product of the layers.
    Raises: CheckpointError for sizes that the encoder cannot take.
    """

    def __init__(
        self,
        family: Family,
        config: Mapping[str, Any],
        model: Any,
        *,
        folder: Path,
        ladder: Ladder | None,
        precision: str = "float32",
        storage: str | None = None,
        make_product: MakeProduct = Dense,
    ) -> None:
        super().__init__(name="encoder")
        sizes = Sizes.of(family, config, folder=folder)
        source = Source.of(family, sizes, model)
        compute = _PRECISIONS[precision]
        formats = Formats(stored=tf.as_dtype(storage) if storage else compute, compute=compute)
        self._sizes = sizes
        self._compute = compute
        self._position_padding_id = family.position_padding_id
        self._head_activations = family.head_activations
        self.embeddings = Embeddings(source, formats)
        last = sizes.passes[-1]
        self.parts = count_parts(heads=sizes.heads, intermediate_size=sizes.intermediate_size)
        layers = {
            place: Layer(
                index,
                place,
                source,
                formats,
                is_last=place == last and sizes.passes.count(place) == 1,
                parts=self.parts,
                make_product=make_product,
            )
            for index, place in enumerate(dict.fromkeys(sizes.passes))
        }
        self.layers = [layers[place] for place in sizes.passes]
        # The head is small, and its input is one token a row: float32 costs nothing there.
        exact = Formats(stored=tf.float32, compute=tf.float32)
        integers = tf.TensorSpec([None], tf.int32)
        self._encode = trace_once(self._encode_rows, [integers] * 4)
        self.ladder = ladder
        self._encode_compiled = trace_once(
            self._encode_dense_rows, [tf.TensorSpec([3, None, None], tf.int32), integers], xla=True
        )
        self.head = [
            Dense(*source.dense(name), exact, f"head_{index}")
            for index, name in enumerate(source.names.head)
        ]

    def __call__(self, batch: Batch) -> tf.Tensor:
        """Encode a Batch -> float32[batch, classes]."""
        return self._encode(*self._make_indices(batch), batch.input_ids.row_splits)

    def encode_bucketed(self, batch: Batch) -> tf.Tensor:
        """Encode a Batch -> float32[batch, classes], by at most one XLA program for each bucket.

        Only an engine with a `ladder` can.
        """
        assert self.ladder is not None
        return bucketed.run(
            self._encode_compiled,
            self._make_indices(batch),
            batch.input_ids.row_splits,
            ladder=self.ladder,
            classes=self.head[-1].bias.shape[0],
        )

    def _make_indices(self, batch: Batch) -> tuple[tf.Tensor, ...]:
        """Return the indices into the embeddings, int32[tokens] each: ids, positions and types."""
        rows = batch.input_ids
        places = positions.count_in_rows(rows, padding_id=self._position_padding_id)
        return rows.values, places, batch.token_types.values

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """Encode int32[batch, length] twice -> float32[batch, classes].

        A token's position follows from its column. All tokens have type 0.
        """
        inside = tf.cast(attention_mask, tf.bool)
        # The head reads the first token. The original would read padding there, but no model is
        # trained that way.
        starts = tf.reduce_any(inside[:, :1], axis=1)
        starts_with_token = tf.debugging.Assert(
            tf.reduce_all(starts),
            [
                "every row of attention_mask must start with 1 (pad at the end); rows that do not:",
                tf.where(~starts)[:, 0],
            ],
        )
        with tf.control_dependencies([starts_with_token]):
            lengths = tf.reduce_sum(tf.cast(inside, tf.int32), axis=1)
        places = positions.count_in_columns(input_ids, padding_id=self._position_padding_id)
        row_splits = tf.concat([[0], tf.cumsum(lengths)], 0)
        tokens = tf.boolean_mask(input_ids, inside)
        return self._encode(
            tokens, tf.boolean_mask(places, inside), tf.zeros_like(tokens), row_splits
        )

    def _encode_rows(
        self, tokens: tf.Tensor, positions: tf.Tensor, types: tf.Tensor, row_splits: tf.Tensor
    ) -> tf.Tensor:
        """Encode int32[tokens] three times, int32[batch + 1] -> float32[batch, classes].

        Every row has at least one token.
        """
        # oneDNN refuses tensors without elements: pad an empty batch with one row of one token, and
        # drop it at the end. `extra` is 1 then, else 0.
        batch = tf.size(row_splits) - 1
        extra = tf.cast(tf.equal(batch, 0), tf.int32)
        indices = [tf.pad(values, [[0, extra]]) for values in (tokens, positions, types)]
        row_splits = tf.concat([row_splits, tf.fill([extra], 1)], 0)
        multiple = _TOKEN_MULTIPLES[self._compute]
        indices = [packed.pad_tokens(each, row_splits, multiple=multiple) for each in indices]
        return self._compute_logits(indices, self._plan_packed(row_splits))[:batch]

    def _plan_packed(self, row_splits: tf.Tensor) -> Layout:
        sizes = self._sizes
        packing = packed.plan(
            row_splits,
            heads=sizes.heads // self.parts,
            head_size=sizes.head_size,
            dtype=self._compute,
            token_multiple=_TOKEN_MULTIPLES[self._compute],
            length_multiple=_LENGTH_MULTIPLE,
        )
        return Layout(
            attend=packed.share_attention(
                packing, hidden_size=sizes.hidden_size // self.parts, dtype=self._compute
            ),
            attend_first=functools.partial(packed.attend_first, packing=packing),
            trace_step=functools.partial(packed.trace_step, dtype=self._compute),
            norm=lambda rows: functools.partial(
                NormValues.apply_fused, shapes=NormShapes(rows), epsilon=sizes.layer_norm_epsilon
            ),
            first=packing.first,
        )

    def _encode_dense_rows(self, indices: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Encode int32[3, batch, length] of ids, positions and types, int32[batch] of lengths.

        Returns: float32[batch, classes].
        """
        layout = bucketed.make_layout(
            lengths,
            length=tf.shape(indices)[2],
            heads=self._sizes.heads // self.parts,
            dtype=self._compute,
            epsilon=self._sizes.layer_norm_epsilon,
        )
        return self._compute_logits(tf.unstack(tf.reshape(indices, [3, -1])), layout)

    def _compute_logits(self, indices: Sequence[tf.Tensor], layout: Layout) -> tf.Tensor:
        norm = layout.norm(tf.size(indices[0]))
        hidden = self.embeddings(*indices, norm=norm)
        *lower, last_layer = self.layers

        def run_layer(hidden: tf.Tensor, layer: LayerValues, norm: Norm) -> tf.Tensor:
            context = [layout.attend(product(hidden)) for product in layer.query_key_value]
            return self._feed_forward(layer, context, hidden, norm)

        # `norm` keeps tensors of this graph for later use; a function has to keep its own.
        def run_shared_layer(hidden: tf.Tensor, layer: LayerValues) -> tf.Tensor:
            return run_layer(hidden, layer, layout.norm(tf.shape(hidden)[0]))

        # Passes through one layer share a function. Layers must not: see `packed.share_attention`.
        shared_steps = {
            layer: layout.trace_step(run_shared_layer, layer.read())
            for layer in dict.fromkeys(lower)
            if lower.count(layer) > 1
        }
        for layer in lower:
            if layer in shared_steps:
                hidden = shared_steps[layer](hidden, layer.read())
            else:
                hidden = run_layer(hidden, layer.read(), norm)
        last = last_layer.read_last()
        # The head reads each row's first token. So in the last layer, compute queries for first
        # tokens only; the other tokens contribute keys and values.
        # The reshape restores the static shape lost at the function boundary; Grappler's layer-norm
        # fusion needs it.
        hidden_size = self._sizes.hidden_size
        firsts = tf.reshape(tf.gather(hidden, layout.first), [-1, hidden_size])
        context = [
            layout.attend_first(query(firsts), key_value(hidden))
            for query, key_value in zip(last.query, last.key_value, strict=True)
        ]
        pooled = tf.cast(
            self._feed_forward(last, context, firsts, layout.norm(tf.size(layout.first))),
            tf.float32,
        )
        for dense, activation in zip(self.head, self._head_activations, strict=True):
            pooled = dense.read()(pooled, activation=activation)
        return pooled

    def _feed_forward(
        self,
        layer: LayerValues | LastLayerValues,
        context: Sequence[tf.Tensor],
        hidden: tf.Tensor,
        norm: Norm,
    ) -> tf.Tensor:
        """Compute the part of a layer after attention, [rows, hidden_size], each row for itself."""
        hidden = norm(layer.attention_norm, _add_up(layer.attention_output, context, hidden))
        inner = [product(hidden, activation=self._sizes.activation) for product in layer.inner]
        return norm(layer.output_norm, _add_up(layer.output, inner, hidden))


def _add_up(products: Sequence[Product], inputs: Sequence[tf.Tensor], add: tf.Tensor) -> tf.Tensor:
    """Return `add` plus the products of the inputs, one for each part of a layer: `split_rows`."""
    first, *others = zip(products, inputs, strict=True)
    total = first[0](first[1], add=add)
    for part, each in others:
        total -= part(each)
    return total
