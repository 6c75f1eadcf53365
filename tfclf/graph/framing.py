"""Rows for the encoder: token ids framed by special tokens, truncated to the length limit."""

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
      token_types: int32[batch, (tokens)], the segment of each token.
      truncated: bool[batch], which rows lost tokens to the limit.
    """

    input_ids: tf.RaggedTensor
    token_types: tf.RaggedTensor
    truncated: tf.Tensor


class Frame(tf.Module):
    """The special tokens of a row and its length limit, ready to pack rows.

    >>> from tfclf.tokenization.spec import bert_template
    >>> template = bert_template(101, 102, types=True)
    >>> spec = TokenizerSpec((), None, None, (), template, 0, "right", "vocab.txt")
    >>> frame = Frame(spec, max_length=6)
    >>> texts = tf.ragged.constant([[7, 8], [1, 2, 3, 4, 5]], tf.int32, row_splits_dtype=tf.int32)
    >>> batch = frame.pack(texts)
    >>> batch.input_ids.to_list()
    [[101, 7, 8, 102], [101, 1, 2, 3, 4, 102]]
    >>> batch.truncated.numpy()
    array([False,  True])

    Both texts of a pair share the budget; here each row holds three tokens of text:

    >>> pairs = frame.pack_pairs(texts, texts[::-1])
    >>> pairs.input_ids.to_list()
    [[101, 7, 102, 1, 2, 102], [101, 1, 2, 102, 7, 102]]
    >>> pairs.token_types.to_list()
    [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]]

    Args:
      spec: gives the template, the side that is truncated, and the pad id.
      max_length: tokens in a row, special tokens included.
      padding_side: of dense rows; 'right' or 'left'.
    Raises: TokenizerError if the limit leaves no budget for one token of each text of a pair.
    """

    def __init__(
        self, spec: TokenizerSpec, *, max_length: int, padding_side: str = "right"
    ) -> None:
        super().__init__()
        self.padding_side = padding_side
        self.max_length = max_length
        self.pad_id = spec.pad_id
        self._template: Template = spec.template
        self._truncates_left = spec.truncation_side == "left"
        self._split_budget = _SPLIT_BUDGET[spec.pair_truncation]
        if self._budget_of(spec.template.pair) < 2:
            special = _count_special(spec.template.pair)
            raise TokenizerError(
                f"{spec.origin}: rows may hold {max_length} tokens, and the template for a pair "
                f"needs {special} special ones. Expected room for two more; set model_max_length "
                f"in tokenizer_config.json to at least {special + 2}."
            )

    @property
    def budget(self) -> int:
        """Tokens of text in a row of one text, special tokens not counted."""
        return self._budget_of(self._template.single)

    @property
    def truncates_left(self) -> bool:
        """Whether rows that are too long lose their beginning, not their end."""
        return self._truncates_left

    def pack(self, ids: tf.RaggedTensor) -> Batch:
        """Pack int32[batch, (tokens)], one text a row."""
        lengths = ids.row_lengths()
        kept = tf.minimum(lengths, self._budget_of(self._template.single))
        return Batch(*self._assemble(self._template.single, [(ids, kept)]), kept < lengths)

    def pack_pairs(self, first: tf.RaggedTensor, second: tf.RaggedTensor) -> Batch:
        """Pack two texts a row; the spec's `pair_truncation` says which of them loses tokens."""
        budget = self._budget_of(self._template.pair)
        one, two = first.row_lengths(), second.row_lengths()
        fits = one + two <= budget
        first_share, second_share = self._split_budget(one, two, budget)
        first_kept = tf.where(fits, one, first_share)
        second_kept = tf.where(fits, two, second_share)
        rows, types = self._assemble(
            self._template.pair, [(first, first_kept), (second, second_kept)]
        )
        return Batch(rows, types, ~fits)

    def fill_empty_rows(self, batch: Batch) -> Batch:
        """Give each row without tokens one padding token: every row that is encoded has a token.

        A template without special tokens makes no token of an empty text. transformers pads such a
        row to the length of its neighbours, so its answer depends on them. Ours is the answer of
        the row padded to one token, whatever else is in the batch.

        >>> spec = TokenizerSpec(
        ...     (), None, None, (), Template((Place(),), (Place(), Place())), 9, "right", ""
        ... )
        >>> frame = Frame(spec, max_length=6)
        >>> texts = tf.ragged.constant([[7], [], [8, 8]], tf.int32, row_splits_dtype=tf.int32)
        >>> frame.fill_empty_rows(frame.pack(texts)).input_ids.to_list()
        [[7], [9], [8, 8]]
        """
        if _count_special(self._template.single) and _count_special(self._template.pair):
            return batch
        rows = batch.input_ids
        lengths = rows.row_lengths()
        # The padding token stands behind all others in the pool.
        starts = tf.where(lengths > 0, rows.row_splits[:-1], tf.size(rows.values))
        lengths = tf.maximum(lengths, 1)
        return Batch(
            take_ranges(tf.concat([rows.values, [self.pad_id]], 0), starts, lengths),
            take_ranges(tf.concat([batch.token_types.values, [0]], 0), starts, lengths),
            batch.truncated,
        )

    def _budget_of(self, template: Sequence[Place]) -> int:
        return self.max_length - _count_special(template)

    def _assemble(
        self, template: Sequence[Place], texts: Sequence[tuple[tf.RaggedTensor, tf.Tensor]]
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Assemble all rows with one gather: each place of the template is a range of one pool.

        [CLS] text [SEP] around the texts [[7, 8], [9]], one range a place, row after row:

            pool     [101, 102, 7, 8, 9]    the template's special tokens, then the texts
            starts   [0, 2, 1,  0, 4, 1]
            lengths  [1, 2, 1,  1, 1, 1]
            parts    [[101], [7, 8], [102],  [101], [9], [102]]
            rows     [[101, 7, 8, 102], [101, 9, 102]]

        Args:
          texts: for each text place, int32[batch, (tokens)] and the tokens to keep, int32[batch].
        Returns: token ids and token types, int32[batch, (tokens)] each.
        """
        batch = texts[0][0].nrows(out_type=tf.int32)
        special = [token for place in template for token in place.ids or ()]
        pool = tf.concat([special, *(ids.values for ids, _ in texts)], axis=0)
        remaining_texts = iter(texts)
        special_start, text_start = 0, tf.constant(len(special))
        starts, lengths = [], []
        for place in template:
            if place.ids is None:
                ids, kept = next(remaining_texts)
                skipped = ids.row_lengths() - kept if self._truncates_left else 0
                starts.append(text_start + ids.row_splits[:-1] + skipped)
                lengths.append(kept)
                text_start += tf.size(ids.values)
            else:
                starts.append(tf.fill([batch], special_start))
                lengths.append(tf.fill([batch], len(place.ids)))
                special_start += len(place.ids)
        # [batch, places] -> [batch * places]: the ranges of one row stay side by side.
        parts = take_ranges(
            pool, tf.reshape(tf.stack(starts, 1), [-1]), tf.reshape(tf.stack(lengths, 1), [-1])
        )
        types = tf.repeat(tf.tile([place.type for place in template], [batch]), parts.row_lengths())
        # A row ends with its last place: every len(template)-th split of the parts is one of the
        # rows.
        splits = tf.gather(parts.row_splits, tf.range(batch + 1) * len(template))
        rows = tf.RaggedTensor.from_row_splits(parts.values, splits, validate=False)
        return rows, rows.with_values(types)


def _split_longest_first(
    one: tf.Tensor, two: tf.Tensor, budget: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Split the budget of a pair: the longer text loses tokens, then both keep half.

    >>> first, second = _split_longest_first(tf.constant([9, 2, 9]), tf.constant([3, 9, 9]), 7)
    >>> first.numpy().tolist(), second.numpy().tolist()
    ([4, 2, 3], [3, 5, 4])

    Source: tokenizers 0.22, `truncate_encodings`, TruncationStrategy::LongestFirst.
    """
    shorter = tf.minimum(one, two)
    # The shorter text keeps all it can. If even that leaves too many tokens, both keep half, and
    # the longer one keeps the odd token.
    longer = tf.where(shorter > budget, shorter, tf.maximum(shorter, budget - shorter))
    halved = shorter + longer > budget
    shorter = tf.where(halved, budget // 2, shorter)
    longer = tf.where(halved, budget // 2 + budget % 2, longer)
    return tf.where(one > two, longer, shorter), tf.where(one > two, shorter, longer)


def _split_round_robin(one: tf.Tensor, two: tf.Tensor, budget: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Split the budget of a pair token by token, in turns, as long as a text has one left.

    >>> first, second = _split_round_robin(tf.constant([9, 2, 9]), tf.constant([3, 9, 9]), 7)
    >>> first.numpy().tolist(), second.numpy().tolist()
    ([4, 2, 4], [3, 5, 3])

    Source: TF-Text 2.21, RoundRobinTrimmer; transformers 4.57, `truncate_sequences`, longest first.
    """
    first = tf.minimum(one, tf.maximum(budget - two, budget - budget // 2))
    return first, tf.minimum(two, budget - first)


def _split_waterfall(one: tf.Tensor, two: tf.Tensor, budget: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Split the budget of a pair: the first text takes what it needs, the second what is left.

    >>> first, second = _split_waterfall(tf.constant([9, 2, 9]), tf.constant([3, 9, 9]), 7)
    >>> first.numpy().tolist(), second.numpy().tolist()
    ([7, 2, 7], [0, 5, 0])

    Source: TF-Text 2.21, WaterfallTrimmer.
    """
    first = tf.minimum(one, budget)
    return first, tf.minimum(two, budget - first)


# How many tokens each text of a pair keeps if the two do not fit into one row.
_SPLIT_BUDGET = {
    "longest_first": _split_longest_first,
    "round_robin": _split_round_robin,
    "waterfall": _split_waterfall,
}


def _count_special(template: Sequence[Place]) -> int:
    return sum(len(place.ids or ()) for place in template)


def to_dense(
    rows: tf.RaggedTensor, *, pad_id: int, side: str = "right"
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pad int32[batch, (tokens)] to `input_ids`, `attention_mask`, each int32[batch, length].

    >>> rows = tf.ragged.constant([[5], [5, 6, 7]], tf.int32)
    >>> to_dense(rows, pad_id=0)[0].numpy().tolist()
    [[5, 0, 0], [5, 6, 7]]
    >>> input_ids, attention_mask = to_dense(rows, pad_id=0, side="left")
    >>> input_ids.numpy().tolist(), attention_mask.numpy().tolist()
    ([[0, 0, 5], [5, 6, 7]], [[0, 0, 1], [1, 1, 1]])

    Args:
      side: where the padding goes: 'right', at the end, or 'left', at the start.
    """
    input_ids = rows.to_tensor(pad_id)
    mask = tf.sequence_mask(rows.row_lengths(), maxlen=tf.shape(input_ids)[1], dtype=tf.int32)
    if side == "right":
        return input_ids, mask
    # Rotate each row by its length, so that the padding at its end comes first: columns of a row of
    # one token in three are [1, 2, 3] mod 3 = [1, 2, 0].
    length = tf.shape(input_ids)[1]
    columns = tf.range(length) + tf.cast(rows.row_lengths(), tf.int32)[:, tf.newaxis]
    columns = tf.math.floormod(columns, tf.maximum(length, 1))
    return tf.gather(input_ids, columns, batch_dims=1), tf.gather(mask, columns, batch_dims=1)
