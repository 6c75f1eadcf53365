"""A preset's tokenizer: its config in task.json and its files in assets/tokenizer -> spec.

The reference is what KerasHub runs inside `tf.data`, and so in `fit`, `predict` and `evaluate`. Called by itself, a
KerasHub tokenizer of 2026 runs other code, in Python, that gives other ids in places; no model was trained with those.
Source: KerasHub 0.32, keras_hub/src/tokenizers and `*_tokenizer.py`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError
from tfclf.files import list_folder
from tfclf.tokenization.read.parts import sort_pieces
from tfclf.tokenization.spec import (
    AddedToken,
    ByteBpe,
    KerasByteWords,
    KerasWords,
    Place,
    SentencePiece,
    Template,
    TokenizerSpec,
    UntilNul,
    WordPiece,
    bert_template,
)

_ASSETS = Path("assets") / "tokenizer"
# tf_text.FastWordpieceTokenizer's own limit, which KerasHub leaves as it is.
_MOST_BYTES = 100
# Options that a spec has no word for, with the one value that asks for nothing.
_ALWAYS = {
    "sequence_length": None,
    "split": True,
    "special_tokens_in_strings": False,
    "add_prefix_space": False,
    "add_bos": False,
    "add_eos": False,
}

Config = Mapping[str, Any]


def word_piece(
    config: Config, folder: Path, truncate: str, *, types: bool = False
) -> TokenizerSpec:
    """WordPieceTokenizer. Raises: TokenizerError, UnknownComponentError, VocabularyError."""
    _check_options(config, folder)
    path = _asset(folder, "vocabulary.txt")
    vocabulary = tuple(_lines(path))
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    if len(ids) < len(vocabulary):
        twice = next(piece for index, piece in enumerate(vocabulary) if ids[piece] != index)
        raise VocabularyError(
            f"{path} holds {twice!r} twice; expected distinct pieces, one for each embedding."
        )
    start, end, pad, _ = _special(ids, ("[CLS]", "[SEP]", "[PAD]", config["oov_token"]), path)
    return TokenizerSpec(
        normalizer=(UntilNul(),),
        splitter=KerasWords(lowercase=config["lowercase"], strip_accents=config["strip_accents"]),
        model=WordPiece(
            vocabulary=vocabulary,
            unknown=config["oov_token"],
            prefix=config["suffix_indicator"],
            max_characters=_MOST_BYTES,
            max_bytes=_MOST_BYTES,
        ),
        added_tokens=(),
        template=bert_template(start, end, types=types),
        pad_id=pad,
        truncation_side="right",
        origin=str(path),
        pair_truncation=truncate,
    )


def word_piece_with_types(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """WordPieceTokenizer for a model that tells the two texts of a pair apart."""
    return word_piece(config, folder, truncate, types=True)


def roberta(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """BytePairTokenizer. Raises: TokenizerError, UnknownComponentError, VocabularyError."""
    _check_options(config, folder)
    path = _asset(folder, "vocabulary.json")
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
        pieces = sort_pieces(ids, path)
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenizerError(
            f"{path} is no JSON object of pieces and ids ({error}). It may be cut short; download it again."
        ) from error
    merges = [
        line.split(" ") for line in _lines(_asset(folder, "merges.txt")) if "#version:" not in line
    ]
    wrong = next((merge for merge in merges if len(merge) != 2), None)
    if wrong is not None:
        raise VocabularyError(
            f"{folder / _ASSETS / 'merges.txt'} holds {' '.join(wrong)!r}; expected two pieces a line."
        )
    start, end, pad, _ = _special(ids, ("<s>", "</s>", "<pad>", "<mask>"), path)
    unsplittable = config.get("unsplittable_tokens") or ("<s>", "</s>", "<pad>", "<mask>")
    return TokenizerSpec(
        normalizer=(UntilNul(),),
        splitter=KerasByteWords(),
        model=ByteBpe(vocabulary=pieces, merges=tuple((first, second) for first, second in merges)),
        added_tokens=tuple(
            AddedToken(token, token_id, normalized=True)
            for token, token_id in zip(unsplittable, _special(ids, unsplittable, path), strict=True)
        ),
        template=_roberta_template(start, end),
        pad_id=pad,
        truncation_side="right",
        origin=str(path),
        pair_truncation=truncate,
    )


def albert(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """SentencePieceTokenizer. Raises: TokenizerError, UnknownComponentError, VocabularyError."""
    _check_options(config, folder)
    path = _asset(folder, "vocabulary.spm")
    model, pieces = _sentencepiece(path)
    ids = {piece: index for index, piece in enumerate(pieces)}
    start, end, pad, _ = _special(ids, ("[CLS]", "[SEP]", "<pad>", "[MASK]"), path)
    template = bert_template(start, end, types=True)
    return _sentencepiece_spec(model, range(len(pieces)), template, pad, path, truncate)


def xlm_roberta(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """SentencePieceTokenizer, its ids moved up by one. Raises: TokenizerError, UnknownComponentError."""
    _check_options(config, folder)
    path = _asset(folder, "vocabulary.spm")
    model, pieces = _sentencepiece(path)
    # <s> <pad> </s> <unk> come first; the model's own piece 0 is the unknown one.
    ids = [3, *range(2, len(pieces) + 1)]
    return _sentencepiece_spec(model, ids, _roberta_template(0, 2), 1, path, truncate)


def _sentencepiece_spec(
    model: bytes, ids: Sequence[int], template: Template, pad: int, path: Path, truncate: str
) -> TokenizerSpec:
    return TokenizerSpec(
        normalizer=(),
        splitter=None,
        model=SentencePiece(model, tuple(ids)),
        added_tokens=(),
        template=template,
        pad_id=pad,
        truncation_side="right",
        origin=str(path),
        pair_truncation=truncate,
    )


def _sentencepiece(path: Path) -> tuple[bytes, list[str]]:
    """The model, and its pieces in their order."""
    model = path.read_bytes()
    try:
        library = tf_text.SentencepieceTokenizer(model, out_type=tf.int32)
        size = int(library.vocab_size())
        pieces = library.id_to_string(tf.range(size)).numpy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise VocabularyError(
            f"{path} ({len(model):,} bytes) is no SentencePiece model: {str(error).splitlines()[0][:200]}. It may be "
            f"cut short; download it again."
        ) from error
    return model, [piece.decode("utf-8") for piece in pieces]


def _roberta_template(start: int, end: int) -> Template:
    first, last = Place((start,)), Place((end,))
    return Template(
        single=(first, Place(), last), pair=(first, Place(), Place((end, end)), Place(), last)
    )


def _check_options(config: Config, folder: Path) -> None:
    for option, expected in _ALWAYS.items():
        if config.get(option, expected) != expected:
            raise UnknownComponentError(
                f"{folder}/task.json: the tokenizer has {option}={config[option]!r}, which cannot be compiled exactly. "
                f"Expected {expected!r}. tfclf never approximates a tokenizer; please report the preset."
            )


def _asset(folder: Path, name: str) -> Path:
    path = folder / _ASSETS / name
    if not path.is_file():
        beside = list_folder(path.parent) if path.parent.is_dir() else "no such folder"
        raise TokenizerError(
            f"{path} is not there (found {beside}), and the tokenizer that task.json names is made of it. "
            f"Save the preset again with its preprocessor, or download it whole."
        )
    return path


def _lines(path: Path) -> list[str]:
    """As KerasHub reads them: without the white space at their ends."""
    try:
        with path.open(encoding="utf-8") as file:
            return [line.rstrip() for line in file]
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path} is not UTF-8 ({error}). Expected one piece a line."
        ) from error


def _special(ids: Mapping[str, int], tokens: Sequence[str], path: Path) -> list[int]:
    missing = [token for token in tokens if token not in ids]
    if missing:
        raise VocabularyError(
            f"{path} has {len(ids)} pieces and {missing[0]!r} is not among them, which KerasHub's tokenizer needs. "
            f"The file may be cut short, or of another preset."
        )
    return [ids[token] for token in tokens]
