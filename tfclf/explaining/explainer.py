"""The effect of each word on a text's logits: those of the text, minus those without the word."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from tfclf.explaining.words import Words, find_words, leave_out
from tfclf.tokenization.utf8 import replace_invalid

# Texts with a word left out that are classified at once.
_VARIANTS = 32
# Each word costs a run of its whole row, so a row of more words is explained in part.
_MOST_WORDS = 512
# Characters that are looked at, for each token that the model reads. English has four to five.
_CHARACTERS_PER_TOKEN = 32
_MOST_TOKENS = 4096

Outputs = Mapping[str, tf.Tensor]
_TEXT, _NUMBER = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)


class Explainer:
    """Classifies rows, and again without each of their words.

    Of a text of more than 32 * max_length characters, only that many are explained (131,072 at
    most), and at most max_length words, never more than 512: in nearly every text, all that the
    model reads.

    Its steps are functions that are traced once, however many signatures call them.

    Args:
      max_length: tokens that the model reads in a row.
      from_end: whether a text that is too long loses its beginning.
    """

    def __init__(self, *, max_length: int, from_end: bool = False) -> None:
        self._most_words = min(max_length, _MOST_WORDS)
        # XLNet reads any number of tokens.
        self._most_characters = _CHARACTERS_PER_TOKEN * min(max_length, _MOST_TOKENS)
        self._from_end = from_end
        self._cut = tf.function(_as_step(self._cut_texts), [_TEXT], autograph=False)
        self._list = tf.function(_as_step(self._list_words), [_TEXT, _NUMBER], autograph=False)
        self._leave_out = tf.function(leave_out, [_TEXT, _NUMBER, _NUMBER], autograph=False)

    def explain(
        self,
        classify: Callable[..., Outputs],
        texts: Sequence[tf.Tensor],
        options: Sequence[tf.Tensor] = (),
    ) -> dict[str, tf.Tensor]:
        """Classify rows, and find the effect of each word.

        Args:
          classify: from texts and options to outputs by name, `logits` among them.
          texts: string[batch]; two of them for pairs.
          options: of each row, [batch], for `classify`.
        Returns: the outputs of `classify`, and
          words string[batch, words], padded with "";
          starts, ends int32[batch, words], in characters of the text, invalid UTF-8 counted as in
            Python's bytes.decode("utf-8", "replace"); padded with -1;
          places int32[batch, words], only for two texts: 0 for a word of the first, 1 for one of
            the second; padded with -1;
          effects float32[batch, words, classes], padded with 0;
          word_count int32[batch];
          complete bool[batch], whether all words are listed.
        """
        outputs = classify(*texts, *options)
        # The texts of a row stand side by side: text number row * count + place.
        count, batch = len(texts), tf.size(texts[0])
        parts, skipped = self._cut(tf.reshape(tf.stack(texts, 1), [-1]))
        columns = tf.unstack(tf.reshape(parts, [-1, count]), count, axis=1)
        is_whole = tf.reduce_all(tf.reshape(skipped, [-1, count]) == 0, axis=1)
        logits = tf.cond(
            tf.reduce_all(is_whole),
            lambda: outputs["logits"],
            lambda: classify(*columns, *options)["logits"],
        )
        *fields, listed_all = self._list(parts, skipped)
        words = Words(*fields)
        row, place = words.row // count, words.row % count

        def classify_variants(done: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            some = slice(done, done + _VARIANTS)
            number, first, last = (
                values[some] for values in (words.row, words.first_byte, words.last_byte)
            )
            rows = row[some]
            without = self._leave_out(tf.gather(parts, number), first, last)
            variants = [
                tf.where(tf.equal(place[some], index), without, tf.gather(column, rows))
                for index, column in enumerate(columns)
            ]
            outputs = classify(*variants, *(tf.gather(values, rows) for values in options))
            return done + _VARIANTS, tf.concat([known, outputs["logits"]], 0)

        _, without = tf.while_loop(
            lambda done, _: done < tf.size(row),
            classify_variants,
            (tf.constant(0), logits[:0]),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, logits.shape[1]])),
            parallel_iterations=1,
        )
        counts = tf.math.unsorted_segment_sum(tf.ones_like(row), row, batch)
        columns_of = _find_columns(counts)

        def pad(values: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
            return tf.gather(tf.concat([values, value], 0), columns_of)

        places = {"places": pad(place, [-1])} if count > 1 else {}
        effects = tf.gather(logits, row) - without
        return {
            **outputs,
            "words": pad(words.text, [""]),
            "starts": pad(words.start, [-1]),
            "ends": pad(words.end, [-1]),
            **places,
            "effects": pad(effects, tf.zeros([1, logits.shape[1]])),
            "word_count": counts,
            "complete": is_whole & tf.reduce_all(tf.reshape(listed_all, [-1, count]), axis=1),
        }

    def _cut_texts(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the part that is explained, string[batch], and the characters that it lacks.

        The second is int32[batch], negative if they are those behind the part.
        """
        text = replace_invalid(text)
        left = tf.maximum(tf.strings.length(text, unit="UTF8_CHAR") - self._most_characters, 0)
        part = tf.cond(
            tf.reduce_all(tf.equal(left, 0)),
            lambda: text,
            lambda: tf.strings.substr(
                text,
                left if self._from_end else tf.zeros_like(left),
                tf.fill(tf.shape(left), self._most_characters),
                "UTF8_CHAR",
            ),
        )
        return part, left if self._from_end else -left

    def _list_words(self, text: tf.Tensor, skipped: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return the fields of `Words`, and bool[batch]: whether these are all words of the text.

        Offsets are those in the whole text.
        """
        words = find_words(text)
        rows = tf.size(skipped)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(words.row), words.row, rows)
        number = tf.range(tf.size(words.row)) - tf.gather(
            tf.cumsum(counts, exclusive=True), words.row
        )
        if self._from_end:
            number = tf.gather(counts, words.row) - 1 - number
        chosen = tf.where(number < self._most_words)[:, 0]
        words = Words(*(tf.gather(values, chosen) for values in words))
        offset = tf.gather(tf.maximum(skipped, 0), words.row)
        words = words._replace(start=words.start + offset, end=words.end + offset)
        return *words, counts <= self._most_words


def _find_columns(counts: tf.Tensor) -> tf.Tensor:
    """Return where each cell of a padded matrix comes from, int32[batch, largest count].

    >>> _find_columns(tf.constant([2, 0, 1])).numpy().tolist()  # 3 stands for padding
    [[0, 1], [3, 3], [2, 3]]
    """
    numbers = tf.range(tf.reduce_max(tf.concat([counts, [0]], 0)))[tf.newaxis]
    places = tf.cumsum(counts, exclusive=True)[:, tf.newaxis] + numbers
    return tf.where(numbers < counts[:, tf.newaxis], places, tf.reduce_sum(counts))


def _as_step(method: Callable[..., tuple[tf.Tensor, ...]]) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Return a plain function: tf.function treats methods of Modules and of others differently."""
    return lambda *inputs: method(*inputs)
