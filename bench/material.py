"""The texts and checkpoints to measure with."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bench.cases import Case, TokenizerCase
from samples import corpora
from samples.checkpoints import DEMO_FILES, ROOT
from samples.tokenizers import PUBLISHED
from tfclf._transformers import tf_class, transformers
from tfclf.families import known
from tfclf.files import hash_files
from tfclf.sample_texts import HEADLINES

SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))


_DATA = {"AG News": corpora.ag_news, "IMDB": corpora.imdb, "AlloCine": corpora.allocine}


def texts(data: str, count: int) -> tuple[str, list[str]]:
    """Return a description and the texts: test rows, or joined headlines without ../shared."""
    if not SHARED.is_dir():
        # 1 to 6 headlines each give about the lengths of AG News rows.
        made = [" ".join(HEADLINES[: 1 + index % 6]) for index in range(count)]
        return f"made-up headlines (no {data} at TFCLF_SHARED)", made
    return f"first {count:,} {data} test rows, file order", _DATA[data](SHARED)[:count]


def available(case: Case | TokenizerCase) -> bool:
    """Tell whether the case's vocabulary is on this machine."""
    return case.vocabulary is None or (SHARED / "vocab" / case.vocabulary).is_dir()


def base_checkpoint(case: Case, folder: Path) -> Path:
    """Write a checkpoint with the case's sizes, random weights and a real vocabulary.

    Biases and layer norms are random, too: with initial zeros and ones some fusions do not match,
    and the measurement misleads.
    """
    config = describe_checkpoint(case, folder)
    model = tf_class(known()[case.model_type].tf_class)(config)
    model.build_in_name_scope()
    dice = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            base = 1.0 if weight.name.endswith("gamma:0") else 0.0
            weight.assign(base + dice.normal(0, 0.02, weight.shape))
    model.save_pretrained(folder)
    return folder


def describe_checkpoint(case: Case, folder: Path) -> Any:
    """Write the tokenizer and config.json of a checkpoint without weights; return the config."""
    folder.mkdir(parents=True)
    _write_tokenizer(case, folder)
    labels = json.loads((DEMO_FILES / "config.json").read_text(encoding="utf-8"))["id2label"]
    config = transformers().AutoConfig.for_model(
        case.model_type, id2label={int(key): label for key, label in labels.items()}, **case.sizes
    )
    config.save_pretrained(folder)
    return config


def hash_code() -> str:
    """Return a hash of tfclf's source: an export is made again when it changes."""
    hashes = hash_files(ROOT / "tfclf").items()
    source = sorted(entry for entry in hashes if "__pycache__" not in entry[0])
    return hashlib.sha256(json.dumps(source).encode()).hexdigest()[:12]


def tokenizer_folder(case: Case | TokenizerCase, folder: Path) -> Path:
    """Write the tokenizer's files alone, without a model."""
    folder.mkdir(parents=True)
    if isinstance(case, TokenizerCase):
        return PUBLISHED[case.published](SHARED, folder)
    _write_tokenizer(case, folder)
    (folder / "config.json").write_text(
        json.dumps({"model_type": case.model_type}), encoding="utf-8"
    )
    return folder


def _write_tokenizer(case: Case, folder: Path) -> None:
    if case.vocabulary is None:
        for name in ("tokenizer.json", "special_tokens_map.json", "vocab.txt"):
            shutil.copy(DEMO_FILES / name, folder)
        settings = json.loads((DEMO_FILES / "tokenizer_config.json").read_text(encoding="utf-8"))
        settings["tokenizer_class"] = None
    else:
        for file in (SHARED / "vocab" / case.vocabulary).iterdir():
            shutil.copy(file, folder)
        settings = {"model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
