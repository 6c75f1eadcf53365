"""A preset's tokenizer: its config in task.json and its files in assets/tokenizer -> spec.

The reference is the code that KerasHub runs inside `tf.data`, and so in `fit`, `predict` and
`evaluate`. A KerasHub tokenizer of 2026 that is called by itself runs other code, in Python, with
other ids in places; no model was trained with those.
Source: KerasHub 0.32, keras_hub/src/tokenizers and `*_tokenizer.py`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.checkpoints.files import PRESET_TASK
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError, first_line
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
# The default limit of tf_text.FastWordpieceTokenizer, which KerasHub does not change.
_MOST_BYTES = 100
# Options that a spec cannot express, each with the value that switches it off.
_OPTIONS_OFF = {
    "sequence_length": None,
    "split": True,
    "special_tokens_in_strings": False,
    "add_prefix_space": False,
    "add_bos": False,
    "add_eos": False,
}

# Options of a WordPieceTokenizer, each with KerasHub's default.
_WORD_PIECE_DEFAULTS: Mapping[str, Any] = {
    "lowercase": False,
    "strip_accents": False,
    "suffix_indicator": "##",
    "oov_token": "[UNK]",
}

Config = Mapping[str, Any]


def read_word_piece(
    config: Config, folder: Path, truncate: str, *, types: bool = False
) -> TokenizerSpec:
    """Read a WordPieceTokenizer.

    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    _check_options(config, folder)
    path = _find_asset(folder, "vocabulary.txt")
    vocabulary = tuple(_read_lines(path))
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    if len(ids) < len(vocabulary):
        repeated = next(piece for index, piece in enumerate(vocabulary) if ids[piece] != index)
        raise VocabularyError(
            f"{path} holds {repeated!r} twice; expected distinct pieces, one for each embedding."
        )
    lowercase, strip_accents, prefix, unknown = (
        _read_option(config, option, folder) for option in _WORD_PIECE_DEFAULTS
    )
    start, end, pad, _ = _ids_of(ids, ("[CLS]", "[SEP]", "[PAD]", unknown), path)
    return TokenizerSpec(
        normalizer=(UntilNul(),),
        splitter=KerasWords(lowercase=lowercase, strip_accents=strip_accents),
        model=WordPiece(
            vocabulary=vocabulary,
            unknown=unknown,
            prefix=prefix,
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


def read_word_piece_with_types(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """Read a WordPieceTokenizer for a model with token types for the two texts of a pair."""
    return read_word_piece(config, folder, truncate, types=True)


def read_roberta(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """Read a BytePairTokenizer. Raises: TokenizerError, UnknownComponentError, VocabularyError."""
    _check_options(config, folder)
    path = _find_asset(folder, "vocabulary.json")
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
        pieces = sort_pieces(ids, path)
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenizerError(
            f"{path} is no JSON object of pieces and ids ({error}). It may be cut short; download "
            f"it again."
        ) from error
    lines = _read_lines(_find_asset(folder, "merges.txt"))
    merges = [line.split(" ") for line in lines if "#version:" not in line]
    wrong = next((merge for merge in merges if len(merge) != 2), None)
    if wrong is not None:
        raise VocabularyError(
            f"{folder / _ASSETS / 'merges.txt'} holds {' '.join(wrong)!r}; expected two pieces a "
            f"line."
        )
    start, end, pad, _ = _ids_of(ids, ("<s>", "</s>", "<pad>", "<mask>"), path)
    unsplittable = config.get("unsplittable_tokens") or ("<s>", "</s>", "<pad>", "<mask>")
    return TokenizerSpec(
        normalizer=(UntilNul(),),
        splitter=KerasByteWords(),
        model=ByteBpe(vocabulary=pieces, merges=tuple((first, second) for first, second in merges)),
        added_tokens=tuple(
            AddedToken(token, token_id, normalized=True)
            for token, token_id in zip(unsplittable, _ids_of(ids, unsplittable, path), strict=True)
        ),
        template=_roberta_template(start, end),
        pad_id=pad,
        truncation_side="right",
        origin=str(path),
        pair_truncation=truncate,
    )


def read_albert(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """Read a SentencePieceTokenizer.

    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    _check_options(config, folder)
    path = _find_asset(folder, "vocabulary.spm")
    model, pieces = _read_sentencepiece(path)
    ids = {piece: index for index, piece in enumerate(pieces)}
    start, end, pad, _ = _ids_of(ids, ("[CLS]", "[SEP]", "<pad>", "[MASK]"), path)
    template = bert_template(start, end, types=True)
    return _sentencepiece_spec(model, range(len(pieces)), template, pad, path, truncate)


def read_xlm_roberta(config: Config, folder: Path, truncate: str) -> TokenizerSpec:
    """Read a SentencePieceTokenizer, its ids moved up by one.

    Raises: TokenizerError, UnknownComponentError.
    """
    _check_options(config, folder)
    path = _find_asset(folder, "vocabulary.spm")
    model, pieces = _read_sentencepiece(path)
    # <s> <pad> </s> <unk> have the ids 0 to 3. The model's own pieces are <unk> <s> </s> , ...:
    # piece 0 becomes 3, and every other piece i becomes i + 1.
    ids = [3, *range(2, len(pieces) + 1)]
    spec = _sentencepiece_spec(model, ids, _roberta_template(0, 2), 1, path, truncate)
    return replace(spec, names=tuple(enumerate(("<s>", "<pad>", "</s>", "<unk>"))))


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


def _read_sentencepiece(path: Path) -> tuple[bytes, list[str]]:
    """Return the model, and its pieces in the order of their ids."""
    model = path.read_bytes()
    try:
        library = tf_text.SentencepieceTokenizer(model, out_type=tf.int32)
        size = int(library.vocab_size())
        pieces = library.id_to_string(tf.range(size)).numpy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise VocabularyError(
            f"{path} ({len(model):,} bytes) is no SentencePiece model: "
            f"{first_line(error, longest=200)}. It may be cut short; download it again."
        ) from error
    return model, [piece.decode("utf-8") for piece in pieces]


def _roberta_template(start: int, end: int) -> Template:
    first, last = Place((start,)), Place((end,))
    return Template(
        single=(first, Place(), last), pair=(first, Place(), Place((end, end)), Place(), last)
    )


def _check_options(config: Config, folder: Path) -> None:
    for option, expected in _OPTIONS_OFF.items():
        if config.get(option, expected) != expected:
            raise UnknownComponentError(
                f"{folder / PRESET_TASK}: the tokenizer has {option}={config[option]!r}, which "
                f"cannot be compiled exactly. Expected {expected!r}. tfclf never approximates a "
                f"tokenizer; please report the preset."
            )


def _read_option(config: Config, option: str, folder: Path) -> Any:
    default = _WORD_PIECE_DEFAULTS[option]
    value = config.get(option, default)
    if not isinstance(value, type(default)):
        raise TokenizerError(
            f"{folder / PRESET_TASK}: the tokenizer has {option}={value!r}; expected "
            f"{'true or false' if isinstance(default, bool) else 'a text'}. Save the preset again."
        )
    return value


def _find_asset(folder: Path, name: str) -> Path:
    path = folder / _ASSETS / name
    if not path.is_file():
        found = list_folder(path.parent) if path.parent.is_dir() else "no such folder"
        raise TokenizerError(
            f"{path} is missing (found {found}), and the tokenizer that task.json names is made of "
            f"it. Save the preset again with its preprocessor, or download it whole."
        )
    return path


def _read_lines(path: Path) -> list[str]:
    """Read lines as KerasHub does: without the white space at their ends."""
    try:
        with path.open(encoding="utf-8") as file:
            return [line.rstrip() for line in file]
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path} is not UTF-8 ({error}). Expected one piece a line."
        ) from error


def _ids_of(ids: Mapping[str, int], tokens: Sequence[str], path: Path) -> list[int]:
    missing = [token for token in tokens if token not in ids]
    if missing:
        raise VocabularyError(
            f"{path} has {len(ids)} pieces and {missing[0]!r} is not among them, which KerasHub's "
            f"tokenizer needs. The file may be cut short, or belong to another preset."
        )
    return [ids[token] for token in tokens]
