"""A tokenizer as plain records; the parts and their names are those of tokenizer.json.

A spec says what to do, not how: `read` makes one from a checkpoint's files, `compile` turns one
into TensorFlow ops.
"""

from dataclasses import dataclass
from typing import TypeAlias

# Normalizers: string -> string, one step after the other.


@dataclass(frozen=True)
class BertNormalizer:
    """BERT's cleaning: removes control characters, puts spaces around Chinese ones, strips accents.

    Maps every character by itself. `strip_accents=None` means the value of `lowercase`.
    """

    clean_text: bool = True
    handle_chinese_chars: bool = True
    strip_accents: bool | None = None
    lowercase: bool = True


@dataclass(frozen=True)
class Replace:
    """Replacement of each occurrence of the string `pattern` by `content`."""

    pattern: str
    content: str


@dataclass(frozen=True)
class EachCharacter:
    """A map of each character by itself, through `steps` in order: NFKD, StripAccents, Lowercase...

    `library` is the one whose Unicode tables count: 'tokenizers' (Rust) or 'python'.
    """

    steps: tuple[str, ...]
    library: str = "tokenizers"


@dataclass(frozen=True)
class UntilNul:
    """Truncation at the first NUL, where a C string ends."""


@dataclass(frozen=True)
class Precompiled:
    """SentencePiece's charsmap, applied as the Rust tokenizers apply it.

    Grapheme clusters below 6 bytes are looked up whole, others character by character. The shortest
    key that begins a cluster replaces all of it.
    """

    charsmap: bytes


@dataclass(frozen=True)
class Strip:
    """Removal of white space at the text's ends."""

    left: bool = True
    right: bool = True


@dataclass(frozen=True)
class ReplaceSpaces:
    """Replacement of each run of two or more spaces by `content`."""

    content: str


@dataclass(frozen=True)
class CollapseSpace:
    """Python's `" ".join(text.split())`: runs of white space become one space, or none at ends."""


@dataclass(frozen=True)
class PythonLower:
    """Python's `str.lower`: each character by itself, except that a capital sigma has context."""


# Splitters: string -> words.


@dataclass(frozen=True)
class WordRuns:
    r"""Runs of word characters, and runs of all others but white space: `\w+|[^\w\s]+`."""


@dataclass(frozen=True)
class BertSplitter:
    """BertPreTokenizer: a split at white space, and around each punctuation mark."""


@dataclass(frozen=True)
class ByteLevel:
    """GPT-2's splitter: runs of letters, of digits, of others, each with the space before it.

    `add_prefix_space` puts a space before a text that does not start with one. Without `use_regex`
    the whole text is one word.
    """

    add_prefix_space: bool = False
    use_regex: bool = True


@dataclass(frozen=True)
class Metaspace:
    """A split at spaces, each of which becomes a `mark` that begins a word.

    Attributes:
      prefix: whether a text (with `at_white_space`, a word) without a mark at its start gets one.
      at_white_space: whether the text is first split at white space of any kind, which is dropped.
    """

    mark: str = "\u2581"
    prefix: bool = True
    at_white_space: bool = False


@dataclass(frozen=True)
class KerasWords:
    """KerasHub's split for WordPiece: at white space, format characters and punctuation marks.

    `strip_accents` removes combining marks before the split; `lowercase` folds the case of each
    word after it (NFKC_Casefold); `split_on_cjk` makes each Chinese character a word.
    """

    lowercase: bool = False
    strip_accents: bool = False
    split_on_cjk: bool = True


@dataclass(frozen=True)
class KerasByteWords:
    """KerasHub's split for byte-level BPE, an imitation of GPT-2's, as in `fit` and `predict`."""


# Models: word, or text if there is no splitter -> token ids.


@dataclass(frozen=True)
class WordPiece:
    """Greedy longest-match-first pieces of each word.

    Attributes:
      vocabulary: pieces in the order of their ids, which are 0, 1, 2, ...
      unknown: the piece for a word that has no pieces, or more than `max_characters` characters.
      max_bytes: an additional limit on a word's bytes; None for none.
    """

    vocabulary: tuple[str, ...]
    unknown: str = "[UNK]"
    prefix: str = "##"
    max_characters: int = 100
    max_bytes: int | None = None

    @property
    def largest_id(self) -> int:
        """The largest id that it can give."""
        return len(self.vocabulary) - 1


@dataclass(frozen=True)
class ByteBpe:
    """Byte-pair encoding of each word's bytes.

    Attributes:
      vocabulary: pieces, written in GPT-2's byte alphabet, in the order of their ids.
      merges: pairs of pieces, first merged first.
      ignore_merges: whether a word that is a piece stays whole, whatever the merges say.
    """

    vocabulary: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    ignore_merges: bool = False

    @property
    def largest_id(self) -> int:
        """The largest id that it can give."""
        return len(self.vocabulary) - 1


@dataclass(frozen=True)
class Unigram:
    """SentencePiece's unigram model on whole texts, with its own normalization and word marks.

    Attributes:
      model: a serialized SentencePiece ModelProto.
      ids: the token ids of each of its pieces, in the order of the pieces; most have one.
    """

    model: bytes
    ids: tuple[tuple[int, ...], ...]

    @property
    def largest_id(self) -> int:
        """The largest id that it can give."""
        return max(token for ids in self.ids for token in ids)


@dataclass(frozen=True)
class UnigramWords:
    """The best-scored pieces of each word.

    Attributes:
      pieces: with their scores, in the order of their ids, which are 0, 1, 2, ...
      unknown_id: of characters that no piece holds; a run of them is one token.
      mark: the character that words may begin with.
    """

    pieces: tuple[tuple[str, float], ...]
    unknown_id: int
    mark: str = "\u2581"

    @property
    def largest_id(self) -> int:
        """The largest id that it can give."""
        return len(self.pieces) - 1


@dataclass(frozen=True)
class SentencePiece:
    """A SentencePiece model on whole texts, as TF-Text's SentencePiece library runs it, with ties.

    Attributes:
      model: a serialized SentencePiece ModelProto.
      ids: the token id of each of its pieces, in the order of the pieces.
    """

    model: bytes
    ids: tuple[int, ...]

    @property
    def largest_id(self) -> int:
        """The largest id that it can give."""
        return max(self.ids)


Step: TypeAlias = (
    BertNormalizer
    | Replace
    | EachCharacter
    | Precompiled
    | Strip
    | ReplaceSpaces
    | CollapseSpace
    | PythonLower
    | UntilNul
)
Splitter: TypeAlias = BertSplitter | WordRuns | ByteLevel | Metaspace | KerasWords | KerasByteWords
Model: TypeAlias = WordPiece | ByteBpe | Unigram | UnigramWords | SentencePiece


@dataclass(frozen=True)
class AddedToken:
    """A string that is one token wherever it stands in the raw text.

    Attributes:
      left_strip, right_strip: whether the match takes the white space on that side.
      single_word: whether a word character on either side prevents the match.
      normalized: whether it is matched in the normalized text instead.
    """

    content: str
    id: int
    left_strip: bool = False
    right_strip: bool = False
    single_word: bool = False
    normalized: bool = False


@dataclass(frozen=True)
class Place:
    """One place of a template: special tokens, or a text.

    Attributes:
      ids: of the special tokens; None for the next text.
      type: the token type (segment id) at this place.
    """

    ids: tuple[int, ...] | None = None
    type: int = 0


@dataclass(frozen=True)
class Template:
    """The layout of rows: `single` has one place for a text, `pair` has two, in order."""

    single: tuple[Place, ...]
    pair: tuple[Place, ...]


def bert_template(start: int, end: int, *, types: bool) -> Template:
    """Return BERT's template: [CLS] text [SEP], and [CLS] text [SEP] text [SEP].

    With `types`, the second text and its [SEP] are of type 1:

    >>> [(place.ids, place.type) for place in bert_template(2, 3, types=True).pair]
    [((2,), 0), (None, 0), ((3,), 0), (None, 1), ((3,), 1)]
    """
    first, last = Place((start,)), Place((end,))
    second = (Place(type=int(types)), Place((end,), type=int(types)))
    return Template(single=(first, Place(), last), pair=(first, Place(), last, *second))


@dataclass(frozen=True)
class TokenizerSpec:
    """A complete tokenizer.

    Attributes:
      normalizer: steps in order; empty if the text is used as it is.
      splitter: None if the model takes whole texts.
      pad_id: fills shorter rows of a dense batch.
      truncation_side: 'right' to truncate a row's end, 'left' its start.
      origin: the file it was read from, for error messages.
      padding_side: of a dense batch, as transformers pads: 'right' or 'left'.
      token_types: whether the tokenizer's class gives token types to the model.
      between: steps on the text between added tokens; slow Python tokenizers match those before
        they normalize.
      pair_truncation: which text of a pair that is too long loses tokens: 'longest_first', as in
        the Rust tokenizers; 'round_robin', as in the slow Python ones (both keep as many; the first
        keeps one more if the number is odd); or 'waterfall' (the second gets what the first
        leaves).
      names: ids with their pieces, where neither the model nor an added token has them right.
    """

    normalizer: tuple[Step, ...]
    splitter: Splitter | None
    model: Model
    added_tokens: tuple[AddedToken, ...]
    template: Template
    pad_id: int
    truncation_side: str
    origin: str
    padding_side: str = "right"
    token_types: bool = True
    between: tuple[Step, ...] = ()
    pair_truncation: str = "longest_first"
    names: tuple[tuple[int, str], ...] = ()
