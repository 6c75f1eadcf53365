"""The parts of BERT's tokenizers: BertNormalizer, BertPreTokenizer or Whitespace, WordPiece."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tfclf.errors import VocabularyError
from tfclf.tokenization.read.parts import Part, fill_gaps, sort_pieces, unknown_part
from tfclf.tokenization.spec import BertNormalizer, BertSplitter, WordPiece, WordRuns

_LONGEST_WORD = 100


def normalizer(part: Part, _: Path) -> tuple[BertNormalizer]:
    """Read BertNormalizer."""
    return (BertNormalizer(**{key: value for key, value in part.items() if key != "type"}),)


def splitter(_part: Part, _path: Path) -> BertSplitter:
    """Read BertPreTokenizer."""
    return BertSplitter()


def splitters(parts: Sequence[Part], path: Path) -> BertSplitter:
    """Read a Sequence of WhitespaceSplit and Punctuation: BertPreTokenizer in two parts.

    Raises: UnknownComponentError.
    """
    for part in parts:
        behavior = part.get("behavior", "Isolated")
        if behavior != "Isolated":
            raise unknown_part(
                "behavior of the pre_tokenizer Punctuation", behavior, ["Isolated"], path
            )
    return BertSplitter()


def word_runs(_part: Part, _path: Path) -> WordRuns:
    """Read Whitespace."""
    return WordRuns()


def model(part: Part, path: Path) -> WordPiece:
    """Read WordPiece. Raises: VocabularyError."""
    check(part, path)
    max_characters = part["max_input_chars_per_word"]
    pieces = fill_gaps(part["vocab"], max_characters=max_characters)
    return WordPiece(
        vocabulary=sort_pieces(pieces, path),
        unknown=part["unk_token"],
        prefix=part["continuing_subword_prefix"],
        max_characters=max_characters,
    )


def check(part: Part, path: Path) -> None:
    """Check what makes the Rust library fail later, or write down another WordPiece than it runs.

    Raises: VocabularyError for an unknown piece that is none, a limit that no word meets, or an id
      that two pieces have.
    """
    vocabulary, unknown = part.get("vocab"), part.get("unk_token", "[UNK]")
    longest = part.get("max_input_chars_per_word", _LONGEST_WORD)
    if not isinstance(vocabulary, Mapping):
        return  # the Rust library says so
    if unknown not in vocabulary:
        raise VocabularyError(
            f"{path}: the model's unk_token is {unknown!r}, which is not among its "
            f"{len(vocabulary)} pieces; the reference fails at the first unknown word. Expected "
            f"one of them, such as '[UNK]'; take the file that the checkpoint was trained with."
        )
    if not isinstance(longest, int) or longest < 1:
        raise VocabularyError(
            f"{path}: max_input_chars_per_word is {longest!r}, so that every word is unknown. "
            f"Expected a number above 0, as a rule {_LONGEST_WORD}."
        )
    sort_pieces(fill_gaps(vocabulary, max_characters=longest), path)
