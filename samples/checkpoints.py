"""Checkpoints made as they are needed: random weights, a real vocabulary."""

import io
import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfclf._transformers import sentencepiece, tf_class, transformers
from tfclf.families import family_of, known
from tfclf.sample_texts import HEADLINES

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "saved_models" / "distilbert_mini_sequence_classifier_ag_news"
DEMO_FILES = DEMO / "checkpoint"
LABELS = ("World", "Sports", "Business", "Sci/Tech")
# So many of the bundled vocabulary's 30,522 pieces are quick to compare; "news" is among them.
PIECES = 3000
_OF_FAMILY: Mapping[str, Mapping[str, Any]] = {
    "albert": {"embedding_size": 16},
    # The padding id of the vocabulary below; RoBERTa's own vocabulary has 1.
    **{
        name: {"pad_token_id": 0, "type_vocab_size": 1}
        for name in ("roberta", "xlm-roberta", "camembert")
    },
}
# The families' own tokenizer classes take no WordPiece files.
_GENERIC = {"tokenizer_class": "PreTrainedTokenizerFast"}
_TOKENIZER_OF_FAMILY: Mapping[str, Mapping[str, Any]] = {
    "albert": _GENERIC,
    **{
        name: {**_GENERIC, "model_input_names": ["input_ids", "attention_mask"]}
        for name in ("roberta", "xlm-roberta", "camembert")
    },
}


def write_tokenizer(
    folder: Path, *, vocabulary: Path | None = None, lowercase: bool = True
) -> None:
    """Write the bundled model's tokenizer files, or those of another vocab.txt."""
    if vocabulary is None:
        for name in (
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "vocab.txt",
        ):
            shutil.copy(DEMO_FILES / name, folder)
        return
    shutil.copy(vocabulary, folder / "vocab.txt")
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "DistilBertTokenizer",
            "do_lower_case": lowercase,
            "model_max_length": 512,
        },
    )


_TRAINED_ON = (
    *HEADLINES,
    "caf\u00e9 na\u00efve \u00e9t\u00e9 d\u00e9j\u00e0 vu, 1,000 or 9,9, "
    '(see p. 3): "well-known" no. 7 - a/b!',
    "\u041c\u043e\u0441\u043a\u0432\u0430 \u6771\u4eac \u0395\u03bb\u03bb\u03ac\u03b4\u03b1 ?!",
    "'' `` % & @ # $ [ ] { } < > = + * _ ~ ^",
)
_SENTENCEPIECE_FILES = {
    "albert": "spiece.model",
    "camembert": "sentencepiece.bpe.model",
    "deberta-v2": "spm.model",
    "xlm-roberta": "sentencepiece.bpe.model",
    "xlnet": "spiece.model",
}
_ALBERT_LIKE = {
    "pad_id": 0,
    "unk_id": 1,
    "bos_id": -1,
    "eos_id": -1,
    "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
    "user_defined_symbols": ["(", ")", '"', "-", "."],
}


def write_sentencepiece(folder: Path, family: str, **options: Any) -> Path:
    """Train a SentencePiece file of about 200 pieces, and write the files that AutoTokenizer needs.

    Args:
      options: of SentencePiece's trainer; they override those of the family's published file.
    Returns: the path of the SentencePiece file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    package, _ = sentencepiece()
    path = folder / _SENTENCEPIECE_FILES[family]
    usual = {
        "model_type": "unigram",
        "vocab_size": 200,
        "hard_vocab_limit": False,
        "character_coverage": 1.0,
    }
    written = io.BytesIO()
    package.SentencePieceTrainer.train(
        sentence_iterator=iter(_TRAINED_ON),
        model_writer=written,
        num_threads=1,
        minloglevel=2,
        **{**usual, **(_ALBERT_LIKE if family == "albert" else {}), **options},
    )
    path.write_bytes(written.getvalue())
    write_json(folder / "config.json", {"model_type": family})
    write_json(folder / "tokenizer_config.json", {"model_max_length": 512})
    return path


def write_small_tokenizer(folder: Path, *, pieces: int = 2000) -> None:
    """Write the bundled model's tokenizer with only the first `pieces` of its vocabulary.

    Those are special tokens, characters and a few words. Building it takes a tenth of the time.
    """
    write_tokenizer(folder)
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = {
        piece: place for piece, place in vocabulary.items() if place < pieces
    }
    write_json(folder / "tokenizer.json", content)
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "vocab.txt").write_text("".join(lines[:pieces]), encoding="utf-8")


def short_sizes(family: str) -> dict[str, Any]:
    """Return the keys of config.json for one layer and 64 tokens; the original is fast with them.

    >>> short_sizes("distilbert")
    {'n_layers': 1, 'max_position_embeddings': 64}
    """
    declared = known()[family]
    keys = declared.config_keys
    return {keys.layers: 1, keys.positions: 64 + (512 - declared.usable_positions(512))}


def tiny_config(family: str, **changes: Any) -> dict[str, Any]:
    """Return a config.json of two small layers, under the family's own key names.

    >>> config = tiny_config("distilbert", n_layers=3)
    >>> config["n_layers"], config["dim"]
    (3, 32)
    """
    declared = known()[family]
    keys = declared.config_keys
    positions = 512 + (512 - declared.usable_positions(512))
    sizes = {
        keys.layers: 2,
        keys.heads: 4,
        keys.hidden_size: 32,
        keys.intermediate_size: 64,
        keys.positions: positions,
    }
    labels = {str(index): label for index, label in enumerate(LABELS)}
    return {
        "model_type": family,
        "vocab_size": PIECES,
        "id2label": labels,
        **sizes,
        **_OF_FAMILY.get(family, {}),
        **changes,
    }


def tiny_model(config: Mapping[str, Any], *, seed: int = 0) -> Any:
    """Return the TF class with random weights.

    Biases and norms are random, too: zeros and ones would hide mistakes.
    """
    family = family_of(config["model_type"], source="a test")
    package = transformers()
    with warnings.catch_warnings():
        # transformers' own warnings: deprecated parts, unseeded initializers.
        warnings.simplefilter("ignore")
        model = tf_class(family.tf_class)(package.AutoConfig.for_model(**config))
        model.build_in_name_scope()
    dice = np.random.default_rng(seed)
    for weight in model.weights:
        kernel_scale = 0.2 if len(weight.shape) == 2 else 0.1
        base = 1.0 if weight.name.endswith("gamma:0") else 0.0
        weight.assign(base + dice.normal(0, kernel_scale, weight.shape).astype(np.float32))
    return model


def tiny_checkpoint(
    folder: Path,
    family: str = "distilbert",
    *,
    seed: int = 0,
    safetensors: bool = False,
    **changes: Any,
) -> Path:
    """Write a whole checkpoint, with tf_model.h5 or a model.safetensors as PyTorch writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = tiny_config(family, **changes)
    model = tiny_model(config, seed=seed)
    if safetensors:
        save_as_pytorch(model, folder)
    else:
        model.save_pretrained(folder)
    write_json(folder / "config.json", config)
    write_small_tokenizer(folder, pieces=PIECES)
    # Without a name AutoTokenizer takes the family's own class, which decides about token types.
    edit_json(
        folder / "tokenizer_config.json",
        **{"tokenizer_class": None, **_TOKENIZER_OF_FAMILY.get(family, {})},
    )
    return folder


# Model types that no family declares: small sizes under each config's own key names. One layer is
# enough, because the TF class itself runs.
_OTHERS: Mapping[str, Mapping[str, Any]] = {
    "deberta-v2": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "mpnet": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 130,
    },
    "xlnet": {"d_model": 32, "n_layer": 1, "n_head": 4, "d_inner": 64},
    "longformer": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "attention_window": [8],
        "max_position_embeddings": 130,
        "pad_token_id": 0,
    },
    "gpt2": {"n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 128, "pad_token_id": 0},
    # The closing token of the bundled tokenizer is [SEP], 102.
    "bart": {
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        "pad_token_id": 0,
        "bos_token_id": 101,
        "eos_token_id": 102,
    },
}
# BART's class refuses batches that hold different numbers of closing tokens, so it has tests of its
# own.
OTHERS = tuple(sorted(set(_OTHERS) - {"bart"}))
_XLNET_TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        {"SpecialToken": {"id": "[CLS]", "type_id": 2}},
    ],
    "pair": [
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
        {"SpecialToken": {"id": "[CLS]", "type_id": 2}},
    ],
    "special_tokens": {
        "[CLS]": {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]},
        "[SEP]": {"id": "[SEP]", "ids": [102], "tokens": ["[SEP]"]},
    },
}


def other_checkpoint(folder: Path, model_type: str, *, seed: int = 0, **changes: Any) -> Path:
    """Write a tiny checkpoint of an undeclared model type, with the bundled tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {str(index): label for index, label in enumerate(LABELS)}
    config = {
        "model_type": model_type,
        "vocab_size": PIECES,
        "id2label": labels,
        **_OTHERS[model_type],
        **changes,
    }
    tiny_model(config, seed=seed).save_pretrained(folder)
    write_json(folder / "config.json", config)
    write_small_tokenizer(folder, pieces=PIECES)
    names = [
        "input_ids",
        "attention_mask",
        *(["token_type_ids"] if model_type in ("deberta-v2", "xlnet") else []),
    ]
    edit_json(
        folder / "tokenizer_config.json",
        tokenizer_class="PreTrainedTokenizerFast",
        model_input_names=names,
    )
    if model_type == "xlnet":
        edit_json(folder / "tokenizer_config.json", padding_side="left", model_max_length=None)
        edit_json(folder / "tokenizer.json", post_processor=_XLNET_TEMPLATE)
    return folder


def remove_special_tokens(folder: Path) -> Path:
    """Let the tokenizer add no special tokens: an empty text then has no token at all."""
    edit_json(folder / "tokenizer.json", post_processor=None)
    edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    return folder


def save_as_pytorch(model: Any, folder: Path, *, prefix: str = "") -> None:
    """Write model.safetensors under PyTorch's names and shapes, without torch.

    Args:
      prefix: precedes each name, such as "distilbert." for an encoder without a head.
    """
    from safetensors.numpy import save_file

    rename = transformers().modeling_tf_pytorch_utils.convert_tf_weight_name_to_pt_weight_name
    state = {}
    for weight in model.weights:
        name, transpose = rename(weight.name, prefix, weight.shape)
        values = weight.numpy()
        state[name] = np.ascontiguousarray(values.T if "NO" not in str(transpose) else values)
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def edit_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file."""
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **changes})
