r"""BERT's splitter: words separated by white space, each punctuation mark a word of its own.

One `regex_replace` whose rewrite uses nothing but \0, then `tf.strings.split`: RE2 then stays in
its DFA. A rewrite with capture groups (\1), or `regex_split`, would leave it, at a tenth of the
speed.

>>> BertWords(BertSplitter())(tf.constant(["Peace-talks, resumed.", ""])).to_list()
[[b'Peace', b'-', b'talks', b',', b'resumed', b'.'], []]
"""

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import BertSplitter, WordRuns

_ASCII_SPACE = frozenset(b" \t\n\v\f\r")


class BertWords(tf.Module):
    """string[n] -> string[n, (words)]."""

    def __init__(self, _: BertSplitter) -> None:
        super().__init__()
        punctuation, space = code_points.bert_punctuation_and_space()
        # tf.strings.split splits at ASCII white space only; all other becomes a space first.
        self._space = character_class(point for point in space if point not in _ASCII_SPACE)
        self._punctuation = character_class(punctuation)

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, self._space, " ")
        return tf.strings.split(tf.strings.regex_replace(text, self._punctuation, r" \0 "))


class Runs(tf.Module):
    """string[n] -> string[n, (words)].

    >>> Runs(WordRuns())(tf.constant(["Peace-talks, resumed...", ""])).to_list()
    [[b'Peace', b'-', b'talks', b',', b'resumed', b'...'], []]

    Source: tokenizers 0.22, `pre_tokenizers/whitespace.rs`.
    """

    def __init__(self, _: WordRuns) -> None:
        super().__init__()
        _word, space, others = code_points.word_run_classes()
        self._space = character_class(point for point in space if point not in _ASCII_SPACE)
        self._others = character_class(others) + "+"

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, self._space, " ")
        return tf.strings.split(tf.strings.regex_replace(text, self._others, r" \0 "))
