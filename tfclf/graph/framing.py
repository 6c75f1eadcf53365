"""Token ids to rows that the encoder takes: special tokens around, cut to the length limit."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfclf.errors import TokenizerError
from tfclf.tokenization.ragged import take_ranges
from tfclf.tokenization.spec import Place, Template, TokenizerSpec


class Batch(NamedTuple):
    """Rows without padding.

    Attributes:
      input_ids: int32[batch, (tokens)], special tokens included; int32 row splits.
      token_types: int32[batch, (tokens)], the segment of each.
      truncated: bool[batch], which rows lost tokens to the limit.
    """

    input_ids: tf.RaggedTensor
    token_types: tf.RaggedTensor
    truncated: tf.Tensor


class Frame(tf.Module):
    """A template with its limit, ready to frame rows.

    Args:
      spec: gives the template, the side that is cut, and the pad id.
      max_length: tokens in a row, special tokens included.
      padding_side: of dense rows; 'right' or 'left'.
    Raises: TokenizerError where the limit leaves no room for a token.
    """

    def __init__(
        self, spec: TokenizerSpec, *, max_length: int, padding_side: str = "right"
    ) -> None:
        super().__init__()
        self.padding_side = padding_side
        self.max_length = max_length
        self.pad_id = spec.pad_id
        self._template: Template = spec.template
        self._cut_left = spec.truncation_side == "left"
        self._shares = _SHARES[spec.pair_truncation]
        if self._room(spec.template.pair) < 2:
            raise TokenizerError(
                f"{spec.origin}: rows may hold {max_length} tokens and the template for a pair needs "
                f"{_special(spec.template.pair)} special ones. Expected room for two more; "
                f"set model_max_length in tokenizer_config.json to at least {_special(spec.template.pair) + 2}."
            )

    @property
    def room(self) -> int:
        """Tokens of text in a row of one text."""
        return self._room(self._template.single)

    @property
    def cuts_left(self) -> bool:
        """Whether rows that are too long lose their beginning, not their end."""
        return self._cut_left

    def single(self, ids: tf.RaggedTensor) -> Batch:
        """Frames int32[batch, (tokens)] as one text a row."""
        lengths = ids.row_lengths()
        kept = tf.minimum(lengths, self._room(self._template.single))
        return Batch(*self._assemble(self._template.single, [(ids, kept)]), kept < lengths)

    def pair(self, first: tf.RaggedTensor, second: tf.RaggedTensor) -> Batch:
        """Frames two texts a row; which of them loses tokens is told by the spec's `pair_truncation`."""
        room = self._room(self._template.pair)
        one, two = first.row_lengths(), second.row_lengths()
        fits = one + two <= room
        first_share, second_share = self._shares(one, two, room)
        first_kept = tf.where(fits, one, first_share)
        second_kept = tf.where(fits, two, second_share)
        rows, types = self._assemble(
            self._template.pair, [(first, first_kept), (second, second_kept)]
        )
        return Batch(rows, types, ~fits)

    def _room(self, template: Sequence[Place]) -> int:
        return self.max_length - _special(template)

    def _assemble(
        self, template: Sequence[Place], texts: Sequence[tuple[tf.RaggedTensor, tf.Tensor]]
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Each row is one range of tokens a place: all places of all rows are taken from one pool at once."""
        batch = texts[0][0].nrows(out_type=tf.int32)
        special = [token for place in template for token in place.ids or ()]
        pool = tf.concat([special, *(ids.values for ids, _ in texts)], axis=0)
        coming = iter(texts)
        special_start, text_start = 0, tf.constant(len(special))
        starts, lengths = [], []
        for place in template:
            if place.ids is None:
                ids, kept = next(coming)
                cut = ids.row_lengths() - kept if self._cut_left else 0
                starts.append(text_start + ids.row_splits[:-1] + cut)
                lengths.append(kept)
                text_start += tf.size(ids.values)
            else:
                starts.append(tf.fill([batch], special_start))
                lengths.append(tf.fill([batch], len(place.ids)))
                special_start += len(place.ids)
        parts = take_ranges(
            pool, tf.reshape(tf.stack(starts, 1), [-1]), tf.reshape(tf.stack(lengths, 1), [-1])
        )
        types = tf.repeat(tf.tile([place.type for place in template], [batch]), parts.row_lengths())
        splits = tf.gather(parts.row_splits, tf.range(batch + 1) * len(template))
        rows = tf.RaggedTensor.from_row_splits(parts.values, splits, validate=False)
        return rows, rows.with_values(types)


def _longest_first(one: tf.Tensor, two: tf.Tensor, room: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Source: tokenizers 0.22, `truncate_encodings`, TruncationStrategy::LongestFirst."""
    shorter = tf.minimum(one, two)
    # The shorter keeps all it can; where even that leaves too many, both keep half, the longer the odd one.
    longer = tf.where(shorter > room, shorter, tf.maximum(shorter, room - shorter))
    halved = shorter + longer > room
    shorter = tf.where(halved, room // 2, shorter)
    longer = tf.where(halved, room // 2 + room % 2, longer)
    return tf.where(one > two, longer, shorter), tf.where(one > two, shorter, longer)


def _round_robin(one: tf.Tensor, two: tf.Tensor, room: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Source: TF-Text 2.21, RoundRobinTrimmer."""
    first = tf.minimum(one, tf.maximum(room - two, room - room // 2))
    return first, tf.minimum(two, room - first)


def _waterfall(one: tf.Tensor, two: tf.Tensor, room: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Source: TF-Text 2.21, WaterfallTrimmer."""
    first = tf.minimum(one, room)
    return first, tf.minimum(two, room - first)


# How many tokens each text of a pair keeps where both together are too long.
_SHARES = {"longest_first": _longest_first, "round_robin": _round_robin, "waterfall": _waterfall}


def _special(template: Sequence[Place]) -> int:
    return sum(len(place.ids or ()) for place in template)


def to_dense(
    rows: tf.RaggedTensor, *, pad_id: int, side: str = "right"
) -> tuple[tf.Tensor, tf.Tensor]:
    """int32[batch, (tokens)] -> `input_ids`, `attention_mask`, each int32[batch, length].

    Args:
      side: where the padding goes: 'right', at the end, or 'left', at the start.
    """
    input_ids = rows.to_tensor(pad_id)
    mask = tf.sequence_mask(rows.row_lengths(), maxlen=tf.shape(input_ids)[1], dtype=tf.int32)
    if side == "right":
        return input_ids, mask
    # Rolled around: what stood at the end is padding already.
    length = tf.shape(input_ids)[1]
    columns = tf.range(length) + tf.cast(rows.row_lengths(), tf.int32)[:, tf.newaxis]
    columns = tf.math.floormod(columns, tf.maximum(length, 1))
    return tf.gather(input_ids, columns, batch_dims=1), tf.gather(mask, columns, batch_dims=1)
