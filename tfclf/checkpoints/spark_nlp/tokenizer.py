"""The tokenizer that the archive's model was trained with, as the files that transformers reads.

Spark NLP runs tokenizers of its own, which split texts in another way. Its archive holds enough to
restore the original.
"""

import dataclasses
import json
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from tfclf._transformers import sentencepiece
from tfclf.checkpoints.spark_nlp import fields
from tfclf.checkpoints.spark_nlp.metadata import Metadata
from tfclf.errors import CheckpointError, TokenizerError
from tfclf.files import list_folder
from tfclf.tokenization.file_names import MERGES_TXT, TOKENIZER_CONFIG, VOCAB_JSON, VOCAB_TXT
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import TokenizerSpec

_LOG = logging.getLogger("tfclf")
_CAPITAL = re.compile("[A-Z]")
_SPECIAL = re.compile(r"[\[<].*[\]>]")


def write(metadata: Metadata, folder: Path) -> None:
    """Write the vocabulary and tokenizer_config.json into a folder that has a config.json.

    Raises: CheckpointError for fields that are missing or broken, or that no file can express.
    """
    annotator = metadata.annotator
    settings: dict[str, object] = {
        "tokenizer_class": annotator.tokenizer_class,
        "model_max_length": metadata.max_length,
    }
    if annotator.sentencepiece:
        _copy_model(metadata, folder / annotator.vocabulary)
    elif annotator.vocabulary == VOCAB_JSON:
        pieces = fields.read_pieces(metadata.folder, "vocabulary")
        ids = {piece: number for number, piece in enumerate(pieces)}
        (folder / VOCAB_JSON).write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
        merges = map(" ".join, fields.read_merges(metadata.folder))
        _write_lines(folder / MERGES_TXT, ["#version: 0.2", *merges])
    else:
        pieces = fields.read_pieces(metadata.folder, "vocabulary")
        if broken := next((piece for piece in pieces if "\n" in piece or "\r" in piece), None):
            raise CheckpointError(
                f"{metadata.folder}/fields/vocabulary has the piece {broken[:80]!r}; expected "
                f"pieces without a line end."
            )
        _write_lines(folder / VOCAB_TXT, pieces)
    if annotator.follows_case:
        settings["do_lower_case"] = _lowercases(metadata, folder / annotator.vocabulary)
    elif not metadata.case_sensitive:
        _LOG.warning(
            "%s: caseSensitive is false, but %s, with which such models are trained, has no lower "
            "case: texts keep their capitals.",
            metadata.path,
            annotator.tokenizer_class,
        )
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings), encoding="utf-8")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")


def _copy_model(metadata: Metadata, target: Path) -> None:
    path = metadata.folder.path / str(metadata.annotator.sentencepiece)
    if not path.is_file():
        raise CheckpointError(
            f"{metadata.folder} has no {path.name}, the SentencePiece model: found "
            f"{list_folder(path.parent)}. Copy or download the model again."
        )
    shutil.copyfile(path, target)


def _lowercases(metadata: Metadata, vocabulary: Path) -> bool:
    """Return whether the tokenizer lower-cases texts.

    `caseSensitive` decides, with one exception: a vocabulary without any capital letter was made,
    and trained with, in lower case.
    """
    if not metadata.case_sensitive:
        return True
    for piece in _read_pieces(vocabulary):
        if _CAPITAL.search(piece) and not _SPECIAL.fullmatch(piece):
            return False
    _LOG.warning(
        "%s: caseSensitive is true, but no piece of the vocabulary has a capital letter, so the "
        "model was trained in lower case: texts are lower-cased.",
        metadata.path,
    )
    return True


def _read_pieces(vocabulary: Path) -> Iterable[str]:
    if vocabulary.suffix == ".txt":
        return vocabulary.read_text(encoding="utf-8").split("\n")
    _, messages = sentencepiece()
    model = messages.ModelProto()
    try:
        model.ParseFromString(vocabulary.read_bytes())
    except Exception:  # `read_spec` explains what is wrong with the file
        return ()
    return [piece.piece for piece in model.pieces]


def read_spec(folder: Path, *, source: Path) -> TokenizerSpec:
    """Read the tokenizer that `write` left in `folder`.

    Args:
      source: the archive, which the spec and errors name.
    Raises: TokenizerError.
    """
    try:
        return dataclasses.replace(read(folder), origin=str(source))
    except TokenizerError as error:
        raise type(error)(
            f"{source}: the tokenizer that its fields describe is refused: {error}"
        ) from error
