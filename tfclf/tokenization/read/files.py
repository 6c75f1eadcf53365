"""Checks of the tokenizer files themselves, for what transformers would pass over in silence."""

from pathlib import Path
from typing import Any

from tfclf.errors import TokenizerError, VocabularyError
from tfclf.files import list_folder, read_json_object
from tfclf.tokenization.file_names import (
    DEBERTA_FILE,
    MERGES_TXT,
    SENTENCEPIECE_FILES,
    SETTINGS_FILES,
    TOKENIZER_JSON,
    VOCAB_JSON,
    VOCAB_TXT,
)
from tfclf.tokenization.models import sentencepiece_model
from tfclf.tokenization.read import byte_level, tokenizer_json


def check(folder: Path) -> Path:
    """Check a folder's tokenizer files, and return the one that holds the vocabulary.

    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    for name in SETTINGS_FILES:
        if (folder / name).is_file():
            _read_json(folder / name)
    if (path := folder / TOKENIZER_JSON).is_file():
        # Before transformers reads it, because its own message does not name the part.
        tokenizer_json.check(_read_json(path), path)
        return path
    if (path := folder / VOCAB_TXT).is_file():
        _check_encoding(path)
        return path
    if (path := folder / VOCAB_JSON).is_file() and (folder / MERGES_TXT).is_file():
        byte_level.check_files(_read_json(path), folder / MERGES_TXT)
        return path
    if model := _sentencepiece_file(folder):
        raw = model.read_bytes()
        sentencepiece_model.parse(raw, str(model), byte_fallback=is_converted(model))
        return model
    raise TokenizerError(
        f"{folder} holds no tokenizer that can be compiled: found {list_folder(folder)}; expected "
        f"{TOKENIZER_JSON} or {VOCAB_TXT}, {VOCAB_JSON} with {MERGES_TXT}, or "
        f"{' or '.join(SENTENCEPIECE_FILES)}. Save the checkpoint's tokenizer there, with its "
        f"save_pretrained."
    )


def slow_file(folder: Path) -> Path | None:
    """Return the SentencePiece file that a slow tokenizer reads; None if a fast one decides."""
    model = _sentencepiece_file(folder)
    return None if model is None or is_converted(model) else model


def is_converted(model: Path) -> bool:
    """Return whether the fast tokenizer that transformers makes of a SentencePiece file counts.

    That is so for DeBERTa-v3's file, whose byte fallback the conversion leaves out. The slow
    tokenizer, which has it, is not what `AutoTokenizer` gives to training.
    """
    return model.name == DEBERTA_FILE and sentencepiece_model.has_byte_fallback(model.read_bytes())


def _sentencepiece_file(folder: Path) -> Path | None:
    """Return the SentencePiece file; None if there is none, or if another file decides."""
    if any((folder / name).is_file() for name in (TOKENIZER_JSON, VOCAB_TXT)):
        return None
    return next((folder / name for name in SENTENCEPIECE_FILES if (folder / name).is_file()), None)


def _read_json(path: Path) -> dict[str, Any]:
    return read_json_object(
        path,
        error=TokenizerError,
        again="It may be cut short; download it again.",
        twice=VocabularyError,
        once="distinct pieces",
    )


def _check_encoding(path: Path) -> None:
    """Refuse a file that is not UTF-8, or begins with a byte order mark.

    The mark would be a part of the first piece to transformers, which then adds that piece anew.

    Pieces on two lines and blank lines are taken as transformers takes them: the last line's
    number is the piece's id.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path} is not UTF-8 ({error}). Expected one piece on each line."
        ) from error
    if text.startswith("\ufeff"):
        raise VocabularyError(
            f"{path} begins with a byte order mark, which would be a part of its first piece. "
            f"Expected UTF-8 without a mark; remove its first three bytes."
        )
