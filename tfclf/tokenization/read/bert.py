"""The parts of BERT's tokenizers: BertNormalizer, BertPreTokenizer, WordPiece."""

from collections.abc import Mapping
from pathlib import Path

from tfclf.errors import VocabularyError
from tfclf.tokenization.read.parts import Part, fill_gaps, sort_pieces
from tfclf.tokenization.spec import BertNormalizer, BertSplitter, WordPiece


def normalizer(part: Part, _: Path) -> tuple[BertNormalizer]:
    """Read BertNormalizer."""
    return (BertNormalizer(**{key: value for key, value in part.items() if key != "type"}),)


def splitter(_part: Part, _path: Path) -> BertSplitter:
    """Read BertPreTokenizer."""
    return BertSplitter()


def model(part: Part, path: Path) -> WordPiece:
    """Read WordPiece. Raises: VocabularyError."""
    if part["unk_token"] not in part["vocab"]:
        raise VocabularyError(
            f"{path}: the unknown piece {part['unk_token']!r} is not in the vocabulary."
        )
    max_characters = part["max_input_chars_per_word"]
    pieces = fill_gaps(part["vocab"], max_characters=max_characters)
    return WordPiece(
        vocabulary=sort_pieces(pieces, path),
        unknown=part["unk_token"],
        prefix=part["continuing_subword_prefix"],
        max_characters=max_characters,
    )


def check_ids(part: Part, path: Path) -> None:
    """Refuse an id that two pieces of WordPiece have. Raises: VocabularyError."""
    if isinstance(vocabulary := part.get("vocab"), Mapping):
        longest = part.get("max_input_chars_per_word", 100)
        sort_pieces(fill_gaps(vocabulary, max_characters=longest), path)
