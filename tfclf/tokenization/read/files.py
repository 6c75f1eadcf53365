"""Checks of the tokenizer files themselves, for what transformers would pass over in silence."""

from pathlib import Path
from typing import Any

from tfclf.errors import TokenizerError, VocabularyError
from tfclf.files import list_folder, read_json_object
from tfclf.tokenization.file_names import (
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
        _check_lines(path)
        return path
    if (path := folder / VOCAB_JSON).is_file() and (folder / MERGES_TXT).is_file():
        byte_level.check_files(_read_json(path), folder / MERGES_TXT)
        return path
    if model := sentencepiece_file(folder):
        sentencepiece_model.parse(model.read_bytes(), str(model))
        return model
    raise TokenizerError(
        f"{folder} holds no tokenizer that can be compiled: found {list_folder(folder)}; expected "
        f"{TOKENIZER_JSON} or {VOCAB_TXT}, {VOCAB_JSON} with {MERGES_TXT}, or "
        f"{' or '.join(SENTENCEPIECE_FILES)}. Save the checkpoint's tokenizer there, with its "
        f"save_pretrained."
    )


def sentencepiece_file(folder: Path) -> Path | None:
    """Return the SentencePiece file, which a slow tokenizer reads; None if another file decides."""
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


def _check_lines(path: Path) -> None:
    """Refuse a piece on two lines: transformers silently takes the last line for its id."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path} is not UTF-8 ({error}). Expected one piece on each line."
        ) from error
    first: dict[str, int] = {}
    for index, piece in enumerate(lines[:-1] if lines[-1] == "" else lines):
        if first.setdefault(piece, index) != index:
            raise VocabularyError(
                f"{path}: line {index + 1} repeats {piece!r} of line {first[piece] + 1}; expected "
                f"distinct pieces, one for each embedding. Take the file that the checkpoint was "
                f"trained with."
            )
