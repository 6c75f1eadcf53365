"""Find the model that Spark NLP's `pretrained`, `load` and `loadSavedModel` name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfclf.catalog import cards, resolve
from tfclf.errors import InputError, SourceNotFoundError
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.versions import saved_model_folder
from tfclf.spark.exports import export_once

_METADATA = "metadata/part-00000"
_MOST_BYTES = 1 << 20


def find_pretrained(name: str, lang: str) -> Path:
    """Return the file or folder of a card's model on this machine; nothing is downloaded.

    Raises: SourceNotFoundError if no card has the name, or its model is not here; InputError for
      another language.
    """
    card = cards.find(name)
    if lang != card.language:
        raise InputError(
            f"The card {name} is for the language {card.language!r}, and {lang!r} was given. "
            f"Give {card.language!r}; `tfclf cards` lists the other models."
        )
    return resolve.find(name).path


def import_model(source: Path, name: str, *, family: str, annotator: str) -> Path:
    """Return the version's folder of a model; a checkpoint is exported into the cache, once.

    Args:
      family: the model_type that the class is for.
    Raises: SourceNotFoundError; InputError if the model is of another family.
    """
    if not source.exists():
        raise SourceNotFoundError(
            f"{source}: there is no such folder or file. Expected a model that Spark NLP or tfclf "
            f"saved, or an export. A card's model is found by its name: {annotator}.pretrained."
        )
    version = saved_model_folder(source) or export_once(source, name)
    found = Manifest.read(version).family
    if found != family:
        raise InputError(
            f"{source} is a model of the family {found!r}, and {annotator} is for {family!r}. Use "
            f"the class of its family, or tfclf.spark.SequenceClassifier, which takes any."
        )
    return version


def is_spark_nlp_model(path: Path) -> bool:
    """Whether Spark NLP itself saved this, as a folder or a zip."""
    return any(
        str(content.get("class", "")).startswith("com.johnsnowlabs.") for content in _read(path)
    )


def read_parameters(path: Path, annotator: str) -> Mapping[str, Any]:
    """Return the parameters that Spark NLP stored with a model; none of another model."""
    for content in _read(path):
        if str(content.get("class", "")).endswith(f".{annotator}"):
            return {**content.get("defaultParamMap", {}), **content.get("paramMap", {})}
    return {}


def _read(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the metadata of a saved stage, or of each stage of a pipeline."""
    for text in _read_texts(path):
        try:
            content = json.loads(text)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield content


def _read_texts(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        for file in sorted(path.glob(f"**/{_METADATA}")):
            yield file.read_bytes()[:_MOST_BYTES]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for entry in packed.namelist():
                if entry.endswith(_METADATA):
                    with packed.open(entry) as packed_file:
                        yield packed_file.read(_MOST_BYTES)
