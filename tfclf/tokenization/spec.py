"""What a tokenizer is, as plain records; the parts and their names are those of tokenizer.json.

A spec says what to do and nothing of how: `read` makes one from a checkpoint's files, `compile` turns one
into TensorFlow ops.
"""

from dataclasses import dataclass
from typing import TypeAlias

# Normalizers: string -> string, one step after the other.


@dataclass(frozen=True)
class BertNormalizer:
    """Cleans, spaces Chinese characters, strips accents, lower-cases. Maps every character by itself.

    `strip_accents=None` means: as `lowercase` says.
    """

    clean_text: bool = True
    handle_chinese_chars: bool = True
    strip_accents: bool | None = None
    lowercase: bool = True


@dataclass(frozen=True)
class Replace:
    """Each occurrence of the string `pattern` becomes `content`."""

    pattern: str
    content: str


@dataclass(frozen=True)
class EachCharacter:
    """Every character by itself, through `steps` one after the other: NFKD, StripAccents, Lowercase, ...

    `library` is the one whose Unicode tables count: 'tokenizers' (Rust) or 'python'.
    """

    steps: tuple[str, ...]
    library: str = "tokenizers"


@dataclass(frozen=True)
class UntilNul:
    """A text ends at its first NUL, as in C."""


@dataclass(frozen=True)
class Precompiled:
    """SentencePiece's charsmap as the Rust tokenizers use it: on grapheme clusters below 6 bytes, else characters.

    The shortest key that begins a cluster replaces all of it.
    """

    charsmap: bytes


@dataclass(frozen=True)
class Strip:
    """White space at the text's ends goes."""

    left: bool = True
    right: bool = True


@dataclass(frozen=True)
class ReplaceSpaces:
    """Two or more spaces in a row become `content`."""

    content: str


@dataclass(frozen=True)
class CollapseSpace:
    """Each run of Python's white space becomes one space, and none at either end: `" ".join(text.split())`."""


@dataclass(frozen=True)
class PythonLower:
    """Python's `str.lower`: every character by itself, but for a capital sigma, which looks at its neighbours."""


# Splitters: string -> words.


@dataclass(frozen=True)
class BertSplitter:
    """BertPreTokenizer: splits at white space, and around each punctuation mark."""


@dataclass(frozen=True)
class ByteLevel:
    """GPT-2's splitter: words with the space before them, runs of letters, of digits, of others, of white space.

    `add_prefix_space` puts a space before a text that does not start with one; without `use_regex` the whole text
    is one word.
    """

    add_prefix_space: bool = False
    use_regex: bool = True


@dataclass(frozen=True)
class Metaspace:
    """Spaces become `mark`, which begins a word.

    Attributes:
      prefix: every text (every word, with `at_white_space`) that does not begin with a mark gets one.
      at_white_space: white space of any kind parts words first, and goes.
    """

    mark: str = "\u2581"
    prefix: bool = True
    at_white_space: bool = False


@dataclass(frozen=True)
class KerasWords:
    """KerasHub's words for WordPiece, white space and format characters gone, punctuation marks by themselves.

    `strip_accents` takes combining marks off before the text is split, `lowercase` folds the case of each word after
    it (NFKC_Casefold), `split_on_cjk` makes each Chinese character a word.
    """

    lowercase: bool = False
    strip_accents: bool = False
    split_on_cjk: bool = True


@dataclass(frozen=True)
class KerasByteWords:
    """KerasHub's words for byte-level BPE: its own imitation of GPT-2's splitter, as `fit` and `predict` run it."""


# Models: word, or text where there is no splitter -> token ids.


@dataclass(frozen=True)
class WordPiece:
    """Greedy longest-match-first pieces of each word.

    Attributes:
      vocabulary: pieces in the order of their ids, which are 0, 1, 2, ...
      unknown: the piece for a word that has no pieces, or more than `max_characters` characters.
      max_bytes: a limit on a word's bytes besides; None where there is none.
    """

    vocabulary: tuple[str, ...]
    unknown: str = "[UNK]"
    prefix: str = "##"
    max_characters: int = 100
    max_bytes: int | None = None

    @property
    def largest_id(self) -> int:
        """Of all the ids that it can give."""
        return len(self.vocabulary) - 1


@dataclass(frozen=True)
class ByteBpe:
    """Byte-pair encoding of each word's bytes.

    Attributes:
      vocabulary: pieces, written in GPT-2's byte alphabet, in the order of their ids.
      merges: pairs of pieces, first merged first.
      ignore_merges: a word that is a piece is that piece, whatever the merges say.
    """

    vocabulary: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    ignore_merges: bool = False

    @property
    def largest_id(self) -> int:
        """Of all the ids that it can give."""
        return len(self.vocabulary) - 1


@dataclass(frozen=True)
class Unigram:
    """SentencePiece's unigram model on whole texts, its own normalization and word marks included.

    Attributes:
      model: a serialized SentencePiece ModelProto.
      ids: the token ids of each of its pieces, in the order of the pieces; most have one.
    """

    model: bytes
    ids: tuple[tuple[int, ...], ...]

    @property
    def largest_id(self) -> int:
        """Of all the ids that it can give."""
        return max(token for ids in self.ids for token in ids)


@dataclass(frozen=True)
class UnigramWords:
    """The best-scored pieces of each word.

    Attributes:
      pieces: with their scores, in the order of their ids, which are 0, 1, 2, ...
      unknown_id: for what no piece holds; a run of it is one token.
      mark: the character that words may begin with.
    """

    pieces: tuple[tuple[str, float], ...]
    unknown_id: int
    mark: str = "\u2581"

    @property
    def largest_id(self) -> int:
        """Of all the ids that it can give."""
        return len(self.pieces) - 1


@dataclass(frozen=True)
class SentencePiece:
    """A SentencePiece model on whole texts, as the SentencePiece library of TF-Text runs it, ties included.

    Attributes:
      model: a serialized SentencePiece ModelProto.
      ids: the token id of each of its pieces, in the order of the pieces.
    """

    model: bytes
    ids: tuple[int, ...]

    @property
    def largest_id(self) -> int:
        """Of all the ids that it can give."""
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
Splitter: TypeAlias = BertSplitter | ByteLevel | Metaspace | KerasWords | KerasByteWords
Model: TypeAlias = WordPiece | ByteBpe | Unigram | UnigramWords | SentencePiece


@dataclass(frozen=True)
class AddedToken:
    """A string that is one token wherever it stands in the raw text.

    `normalized` tokens are looked for in the text after normalization instead; `left_strip` and
    `right_strip` let the match take the white space beside it.
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
      ids: of the special tokens; None: the next text.
      type: the token type (segment id) of what stands there.
    """

    ids: tuple[int, ...] | None = None
    type: int = 0


@dataclass(frozen=True)
class Template:
    """What rows look like: `single` has one text place, `pair` two, in the order of the texts."""

    single: tuple[Place, ...]
    pair: tuple[Place, ...]


def bert_template(start: int, end: int, *, types: bool) -> Template:
    """[CLS] text [SEP], and [CLS] text [SEP] text [SEP]; with `types` the second text and its end are of type 1."""
    first, last = Place((start,)), Place((end,))
    second = (Place(type=int(types)), Place((end,), type=int(types)))
    return Template(single=(first, Place(), last), pair=(first, Place(), last, *second))


@dataclass(frozen=True)
class TokenizerSpec:
    """A whole tokenizer.

    Attributes:
      normalizer: steps, in their order; none for text that goes in as it is.
      splitter: None where the model takes whole texts.
      pad_id: fills shorter rows of a dense batch.
      truncation_side: 'right' cuts a row's end, 'left' its start.
      origin: the file it was read from, for error messages.
      padding_side: of a dense batch, as transformers pads: 'right' or 'left'.
      token_types: whether the tokenizer's class hands token types to the model at all.
      between: steps on what lies between added tokens: slow Python tokenizers look for those before they normalize.
      pair_truncation: which text of a pair that is too long loses tokens: 'longest_first' as the Rust tokenizers
        have it, 'round_robin' (both keep as many, of an odd number the first has one more) or 'waterfall' (the
        second has what the first leaves).
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
