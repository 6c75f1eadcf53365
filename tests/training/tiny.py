"""A training that takes seconds: a DistilBERT of one layer and hidden size 16, and 72 sentences."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest

from samples.checkpoints import save_as_pytorch
from tfclf.training import Recipe

LABELS = ("neg", "pos")
GOOD = ("good", "great", "lovely", "warm")
BAD = ("bad", "poor", "dull", "cold")
FILLING = ("a", "the", "film", "story", "was", "and", "very", "quite", "it", "is")
# 58 of the 72 rows are trained on: 15 steps an epoch.
RECIPE = Recipe(
    epochs=2, batch_size=4, learning_rate=1e-2, max_length=24, held_back=0.2, save_steps=4
)


class Killed(BaseException):
    """Stands for a kill: no code handles it."""


def make_sentence(words: Sequence[str], number: int) -> str:
    """Return a sentence that differs for every number, of varying length."""
    filling = list(
        itertools.islice(itertools.cycle(FILLING), number % 7, number % 7 + 2 + number % 5)
    )
    return " ".join([*filling, words[number % 4], f"n{number}", words[number // 4 % 4]])


def make_base(folder: Path, *, safetensors: bool = False) -> Path:
    from tfclf._transformers import transformers

    package = transformers()
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *GOOD, *BAD, *FILLING, *(f"n{number}" for number in range(36))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = package.DistilBertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32)
    tokenizer.save_pretrained(folder)
    config = package.DistilBertConfig(
        vocab_size=len(vocabulary),
        dim=16,
        hidden_dim=32,
        n_layers=1,
        n_heads=2,
        max_position_embeddings=32,
        # Large enough for a network of this size to learn in a few steps.
        initializer_range=0.3,
    )
    import tf_keras

    tf_keras.utils.set_random_seed(7)
    model = package.TFDistilBertModel(config)
    model.build_in_name_scope()
    if safetensors:
        save_as_pytorch(model, folder, prefix="distilbert.")
        model.config.save_pretrained(folder)
    else:
        model.save_pretrained(folder, safe_serialization=False)
    return folder


def weights_of(folder: Path) -> dict[str, Any]:
    from tfclf.training.weights import load_trained

    return {strip_scope(weight.name): weight.numpy() for weight in load_trained(folder).weights}


def strip_scope(name: str) -> str:
    """Remove the model's own name, which Keras numbers per process, from a weight's name."""
    return name.partition("/")[2]


def assert_same_weights(found: Path, expected: Path) -> None:
    expected_weights = weights_of(expected)
    for name, values in weights_of(found).items():
        numpy.testing.assert_array_equal(values, expected_weights[name], err_msg=name)


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    from tfclf.training.progress import TrainingProgress

    def killed(self: TrainingProgress, done: int, *, loss: float, rate: float) -> None:
        if done == step:
            raise Killed

    monkeypatch.setattr(TrainingProgress, "step", killed)


def make_family_base(folder: Path, family: str, words: Sequence[str]) -> Path:
    """Make a base model of one layer, with a WordPiece vocabulary of these words.

    It works for families whose config has these names for its sizes.
    """
    from samples.checkpoints import edit_json
    from tfclf._transformers import tf_class, transformers
    from tfclf.families import known

    package = transformers()
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = package.BertTokenizerFast(
        str(folder / "vocab.txt"), model_max_length=32, strip_accents=False
    )
    tokenizer.save_pretrained(folder)
    config = package.AutoConfig.for_model(
        family,
        vocab_size=len(vocabulary),
        hidden_size=32,
        embedding_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        pad_token_id=0,
        initializer_range=0.2,
    )
    import tf_keras

    tf_keras.utils.set_random_seed(7)
    model = tf_class(known()[family].tf_class.replace("ForSequenceClassification", "Model"))(config)
    model.build_in_name_scope()
    model.save_pretrained(folder, safe_serialization=False)
    # The families' own tokenizer classes take no WordPiece files.
    edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    return folder
