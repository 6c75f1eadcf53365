"""Write the bundled model's Hugging Face checkpoint, restored exactly from its export.

    pip install '.[checkpoints]'
    python saved_models/restore_checkpoint.py build/demo_checkpoint

The repository holds each weight once, in the export. `tfclf verify` and further fine-tuning need a
checkpoint: `checkpoint/` beside the export holds config.json and the tokenizer files, and this
script adds tf_model.h5.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf._tensorflow import load_text_ops
from tfclf._transformers import tf_class, transformers
from tfclf.families import known

DEMO = Path(__file__).parent / "distilbert_mini_sequence_classifier_ag_news"


def main() -> None:
    """Restore into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "folder", type=Path, help="folder to write the checkpoint to; it is made if missing"
    )
    folder = parser.parse_args().folder
    restore(folder)
    print(f"{folder}  Next: tfclf verify {DEMO} --source {folder}")


def restore(folder: Path) -> None:
    """Write the checkpoint to `folder`."""
    files = DEMO / "checkpoint"
    family = known()[transformers().AutoConfig.from_pretrained(files).model_type]
    model = tf_class(family.tf_class)(transformers().AutoConfig.from_pretrained(files))
    model.build_in_name_scope()
    load_text_ops()
    engine = tf.saved_model.load(str(DEMO / "1")).graph._engine
    values = dict(_named(engine, family))
    for weight in model.weights:
        name = weight.name.split("/", 1)[1].removesuffix(":0")
        weight.assign(tf.cast(values.pop(name), tf.float32))
    if values:
        raise SystemExit(
            f"{DEMO / '1'} holds weights without a place in {family.tf_class}: {sorted(values)[:3]}"
        )
    model.save_pretrained(folder)
    for file in files.iterdir():
        shutil.copy(file, folder)


def _named(engine: Any, family: Any) -> Iterator[tuple[str, Any]]:
    """Return the engine's values under the TF class's names: the inverse of loading them."""
    names = family.weights
    yield from zip(
        (names.word_embeddings, names.position_embeddings), engine.embeddings._tables, strict=True
    )
    yield from _norm(names.embeddings_norm, engine.embeddings.norm)
    for index, layer in enumerate(engine.layers):
        # The last layer keeps queries apart, in older exports with keys and values.
        apart = hasattr(layer, "query")
        joined = [layer.query, layer.key_value] if apart else [layer.query_key_value]
        kernel = np.concatenate([dense.kernel.numpy() for dense in joined], axis=1)
        bias = np.concatenate([dense.bias.numpy() for dense in joined])
        kernels, biases = np.split(kernel, 3, axis=1), np.split(bias, 3)
        for scope, kernel, bias in zip(
            (names.query, names.key, names.value), kernels, biases, strict=True
        ):
            yield f"{scope.format(layer=index)}/kernel", kernel
            yield f"{scope.format(layer=index)}/bias", bias
        for scope, dense in (
            (names.attention_output, layer.attention_output),
            (names.inner, layer.inner),
            (names.output, layer.output),
        ):
            yield from _dense(scope.format(layer=index), dense)
        yield from _norm(names.attention_norm.format(layer=index), layer.attention_norm)
        yield from _norm(names.output_norm.format(layer=index), layer.output_norm)
    for scope, dense in zip(names.head, engine.head, strict=True):
        yield from _dense(scope, dense)


def _dense(scope: str, dense: Any) -> Iterator[tuple[str, Any]]:
    yield f"{scope}/kernel", dense.kernel
    yield f"{scope}/bias", dense.bias


def _norm(scope: str, norm: Any) -> Iterator[tuple[str, Any]]:
    yield f"{scope}/gamma", norm.gamma
    yield f"{scope}/beta", norm.beta


if __name__ == "__main__":
    main()
