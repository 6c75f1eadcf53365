"""The contenders of each comparison: the peer first, then ours."""

from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

import tfclf
from tfclf._transformers import transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.read import read

Work = Callable[[], object]


def text_to_label(
    checkpoint: Path, folder: Path, rows: Sequence[str], *, batch_size: int
) -> dict[str, Work]:
    """Return the TF class in graph mode behind its fast tokenizer, and our exports of its weights.

    All take the rows in their order; each pads only as far as its batch asks.
    """
    labels = tf.constant(list(open_checkpoint(checkpoint).labels))
    run = tf_class(checkpoint, answer=lambda logits: tf.gather(labels, tf.argmax(logits, axis=1)))
    batches = _batches(rows, batch_size)

    def original() -> None:
        for batch in batches:
            run(batch).numpy()

    def ours(precision: str) -> Work:
        classifier = tfclf.load(tfclf.export(checkpoint, folder / precision, precision=precision))

        def run() -> None:
            for batch in batches:
                classifier(batch)["label"].numpy()

        return run

    return {"TF class": original, "float32": ours("float32"), "bfloat16": ours("bfloat16")}


def tf_class(
    checkpoint: Path, *, answer: Callable[[tf.Tensor], tf.Tensor]
) -> Callable[[Sequence[str]], tf.Tensor]:
    """Return the TF class in graph mode behind its fast tokenizer, for one batch of texts.

    Args:
      answer: from logits to what the graph returns.
    """
    opened = open_checkpoint(checkpoint)
    model = opened.load_model()
    tokenizer = transformers().AutoTokenizer.from_pretrained(checkpoint)
    names = [
        name
        for name in tokenizer.model_input_names
        if name in ("input_ids", "token_type_ids", "attention_mask")
    ]

    @tf.function(input_signature=[{name: tf.TensorSpec([None, None], tf.int32) for name in names}])
    def forward(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return answer(model(inputs, training=False).logits)

    def run(texts: Sequence[str]) -> tf.Tensor:
        inputs = tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=opened.max_length,
            return_tensors="np",
        )
        return forward({name: tf.constant(inputs[name], tf.int32) for name in names})

    return run


def tokenizers(checkpoint: Path, rows: Sequence[str], *, batch_size: int) -> dict[str, Work]:
    """Return the Rust tokenizer, without Python around it, and the tokenizer in the graph."""
    rust = transformers().AutoTokenizer.from_pretrained(checkpoint).backend_tokenizer
    tokenizer = Tokenizer(read(checkpoint))
    in_graph = tf.function(
        lambda text: tokenizer(text), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    batches = _batches(rows, batch_size)
    return {
        "Rust": lambda: [[row.ids for row in rust.encode_batch(batch)] for batch in batches],
        "in graph": lambda: [in_graph(tf.constant(batch)).values.numpy() for batch in batches],
    }


def _batches(rows: Sequence[str], size: int) -> list[list[str]]:
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]
