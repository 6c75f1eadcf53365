"""A look at the files as they are: at what transformers would pass over in silence."""

from pathlib import Path
from typing import Any

from tfclf.errors import TokenizerError, VocabularyError
from tfclf.files import list_folder, read_json_object
from tfclf.tokenization.models import sentencepiece_model
from tfclf.tokenization.read import byte_level, slow, tokenizer_json

_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def check(folder: Path) -> Path:
    """The file that holds the vocabulary.

    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    for name in _BESIDE:
        if (folder / name).is_file():
            _read_json(folder / name)
    if (folder / "tokenizer.json").is_file():
        # Here and not only after transformers has read it, because its own message does not name a part.
        tokenizer_json.check(_read_json(folder / "tokenizer.json"), folder / "tokenizer.json")
        return folder / "tokenizer.json"
    if (folder / "vocab.txt").is_file():
        _check_lines(folder / "vocab.txt")
        return folder / "vocab.txt"
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        byte_level.check_files(_read_json(folder / "vocab.json"), folder / "merges.txt")
        return folder / "vocab.json"
    if found := sentencepiece_file(folder):
        sentencepiece_model.parse(found.read_bytes(), str(found))
        return found
    raise TokenizerError(
        f"{folder} holds no tokenizer that can be compiled: found {list_folder(folder)}; expected "
        f"tokenizer.json or vocab.txt, vocab.json with merges.txt, or {' or '.join(slow.FILES)}. Save the checkpoint's "
        f"tokenizer there, with its save_pretrained."
    )


def sentencepiece_file(folder: Path) -> Path | None:
    """The file that only a slow tokenizer reads; None where another one holds the vocabulary."""
    if any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return None
    return next((folder / name for name in slow.FILES if (folder / name).is_file()), None)


def _read_json(path: Path) -> dict[str, Any]:
    return read_json_object(
        path,
        error=TokenizerError,
        again="It may be cut short; download it again.",
        twice=VocabularyError,
        once="distinct pieces",
    )


def _check_lines(path: Path) -> None:
    """Transformers takes a piece's last line for its id, and never tells."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path} is not UTF-8 ({error}). Expected one piece a line."
        ) from error
    first: dict[str, int] = {}
    for index, piece in enumerate(lines[:-1] if lines[-1] == "" else lines):
        if first.setdefault(piece, index) != index:
            raise VocabularyError(
                f"{path}: line {index + 1} repeats {piece!r} of line {first[piece] + 1}; expected distinct pieces, "
                f"one for each embedding. Take the file that the checkpoint was trained with."
            )
