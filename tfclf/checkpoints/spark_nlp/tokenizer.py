"""The tokenizer that the archive's model was trained with, as the files that transformers reads.

Spark NLP runs tokenizers of its own, which split otherwise; what it keeps in an archive is enough to have the original.
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
from tfclf.checkpoints.spark_nlp.archive import Files
from tfclf.checkpoints.spark_nlp.metadata import Metadata
from tfclf.errors import CheckpointError, TokenizerError
from tfclf.files import list_folder
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import TokenizerSpec

_LOG = logging.getLogger("tfclf")
_CAPITAL = re.compile("[A-Z]")
_SPECIAL = re.compile(r"[\[<].*[\]>]")


def write(metadata: Metadata, folder: Path) -> None:
    """Vocabulary and tokenizer_config.json, into a folder that has a config.json.

    Raises: CheckpointError for fields that are missing, broken, or that no vocabulary file can say.
    """
    annotator = metadata.annotator
    settings: dict[str, object] = {
        "tokenizer_class": annotator.tokenizer_class,
        "model_max_length": metadata.max_length,
    }
    if annotator.sentencepiece:
        _copy_model(metadata, folder / annotator.vocabulary)
    elif annotator.vocabulary == "vocab.json":
        pieces = fields.pieces(metadata.folder, "vocabulary")
        numbered = {piece: number for number, piece in enumerate(pieces)}
        (folder / "vocab.json").write_text(
            json.dumps(numbered, ensure_ascii=False), encoding="utf-8"
        )
        _write_lines(
            folder / "merges.txt", ["#version: 0.2", *map(" ".join, fields.merges(metadata.folder))]
        )
    else:
        pieces = fields.pieces(metadata.folder, "vocabulary")
        if broken := next((piece for piece in pieces if "\n" in piece or "\r" in piece), None):
            raise CheckpointError(
                f"{metadata.folder}/fields/vocabulary has the piece {broken[:80]!r}; expected none with a line end."
            )
        _write_lines(folder / "vocab.txt", pieces)
    if annotator.case:
        settings["do_lower_case"] = _lowercases(metadata, folder / annotator.vocabulary)
    elif not metadata.case_sensitive:
        _LOG.warning(
            "%s: caseSensitive is false, and %s, with which such models are trained, knows no lower case: texts keep "
            "their capitals.",
            metadata.path,
            annotator.tokenizer_class,
        )
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")


def _copy_model(metadata: Metadata, target: Path) -> None:
    path = metadata.folder / str(metadata.annotator.sentencepiece)
    if not path.is_file():
        raise CheckpointError(
            f"{metadata.folder} has no {path.name}, the SentencePiece model: found {list_folder(metadata.folder)}. Copy or "
            f"download the model again."
        )
    shutil.copyfile(path, target)


def _lowercases(metadata: Metadata, vocabulary: Path) -> bool:
    """As `caseSensitive` says; but a vocabulary without a capital was made, and trained with, in lower case."""
    if not metadata.case_sensitive:
        return True
    if any(
        _CAPITAL.search(piece) for piece in _pieces(vocabulary) if not _SPECIAL.fullmatch(piece)
    ):
        return False
    _LOG.warning(
        "%s: caseSensitive is true, and no piece of the vocabulary has a capital letter, so that the model was trained "
        "in lower case: texts are lower-cased.",
        metadata.path,
    )
    return True


def _pieces(vocabulary: Path) -> Iterable[str]:
    if vocabulary.suffix == ".txt":
        return vocabulary.read_text(encoding="utf-8").split("\n")
    _, messages = sentencepiece()
    model = messages.ModelProto()
    try:
        model.ParseFromString(vocabulary.read_bytes())
    except Exception:  # the reader of the tokenizer says what is wrong with it
        return ()
    return [piece.piece for piece in model.pieces]


def read_spec(files: Files, folder: Path, _: Path) -> TokenizerSpec:
    """The tokenizer in `folder`, which is of `files`, under the archive's own name. Raises: TokenizerError."""
    try:
        return dataclasses.replace(read(folder), origin=str(files.source))
    except TokenizerError as error:
        raise type(error)(files.told(str(error))) from error
