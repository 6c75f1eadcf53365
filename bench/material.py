"""Texts and checkpoints to measure with."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np

from tfclf._transformers import tf_class, transformers
from tfclf.sample_texts import HEADLINES

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "saved_models" / "distilbert_mini_sequence_classifier_ag_news"
_SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))


def texts(count: int) -> tuple[str, list[str]]:
    """(what they are, the texts): AG News test rows in file order, or headlines joined where there are none."""
    path = _SHARED / "data" / "ag_news" / "test.csv"
    if not path.is_file():
        # Of about the same lengths as the real rows: 1 to 6 headlines each.
        made = [" ".join(HEADLINES[: 1 + index % 6]) for index in range(count)]
        return "made-up headlines (no AG News at TFCLF_SHARED)", made
    with path.open(encoding="utf-8", newline="") as file:
        rows = [f"{title} {description}" for _, title, description in csv.reader(file)]
    return f"first {count} AG News test rows, file order", rows[:count]


def base_checkpoint(folder: Path) -> Path:
    """DistilBERT-base's sizes (6 layers, 768 wide), random weights, the bundled model's vocabulary.

    Biases and norms are random too: at their initial zeros and ones some fusions do not match, and the
    measurement misleads.
    """
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(DEMO / "checkpoint" / name, folder)
    labels = json.loads((DEMO / "checkpoint" / "config.json").read_text(encoding="utf-8"))["id2label"]
    config = transformers().DistilBertConfig(id2label={int(key): label for key, label in labels.items()})
    model = tf_class("TFDistilBertForSequenceClassification")(config)
    model.build_in_name_scope()
    dice = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            base = 1.0 if weight.name.endswith("gamma:0") else 0.0
            weight.assign(base + dice.normal(0, 0.02, weight.shape))
    model.save_pretrained(folder)
    return folder
