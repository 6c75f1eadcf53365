"""`python -m bench`: every comparison, into bench/results and README.md."""

import argparse
import datetime
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from rich.console import Console
from rich.table import Table

import tfclf
from bench import readme
from bench.material import ROOT, base_checkpoint, texts
from bench.measure import Figure, as_json, compare, machine
from tfclf._transformers import transformers
from tfclf.checkpoints import open_checkpoint

_BATCH = 32
_RESULTS = ROOT / "bench" / "results"


def main() -> None:
    """Runs them all."""
    options = _options()
    description, rows = texts(options.texts)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = base_checkpoint(Path(folder) / "checkpoint")
        _report(
            "text_to_label",
            f"Text to label, DistilBERT-base (6 layers, 768 wide), batches of {_BATCH}; {description}",
            compare(_text_to_label(checkpoint, Path(folder), rows), texts=len(rows), runs=options.runs),
            options,
        )
        description, many = texts(10 * options.texts)
        for size in (512, _BATCH):
            _report(
                f"tokenizer_batch_{size}",
                f"Tokenizer alone (uncased WordPiece), batches of {size}; {description}",
                compare(_tokenizers(checkpoint, many, size), texts=len(many), runs=options.runs),
                options,
            )
    if options.update_readme:
        readme.update(ROOT / "README.md", _RESULTS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=256, help="texts a run")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each contender")
    parser.add_argument("--update-readme", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def _batches(rows: Sequence[str], size: int) -> list[list[str]]:
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def _text_to_label(checkpoint: Path, folder: Path, rows: Sequence[str]) -> dict[str, Callable[[], object]]:
    """The TF class in graph mode behind its own fast tokenizer, and our exports of the same weights."""
    model = open_checkpoint(checkpoint).load_model()
    tokenizer = transformers().AutoTokenizer.from_pretrained(checkpoint)
    labels = tf.constant(list(open_checkpoint(checkpoint).labels))
    signature = [tf.TensorSpec([None, None], tf.int32)] * 2

    @tf.function(input_signature=signature)
    def forward(input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        logits = model(input_ids=input_ids, attention_mask=attention_mask, training=False).logits
        return tf.gather(labels, tf.argmax(logits, axis=1))

    batches = _batches(rows, _BATCH)

    def original() -> None:
        for batch in batches:
            inputs = tokenizer(batch, padding=True, truncation=True, return_tensors="np")
            forward(tf.constant(inputs["input_ids"], tf.int32), tf.constant(inputs["attention_mask"], tf.int32)).numpy()

    def ours(precision: str) -> Callable[[], None]:
        classifier = tfclf.load(tfclf.export(checkpoint, folder / precision, precision=precision))

        def run() -> None:
            for batch in batches:
                classifier(batch)["label"].numpy()

        return run

    return {
        "Hugging Face TF class, fast tokenizer": original,
        "tfclf float32": ours("float32"),
        "tfclf bfloat16": ours("bfloat16"),
    }


def _tokenizers(checkpoint: Path, rows: Sequence[str], size: int) -> dict[str, Callable[[], object]]:
    """The Rust tokenizer without Python around it, and the graph's."""
    rust = transformers().AutoTokenizer.from_pretrained(checkpoint).backend_tokenizer
    rust.enable_truncation(512)
    from tfclf.tokenization.compile import Tokenizer
    from tfclf.tokenization.read import read

    tokenizer = Tokenizer(read(checkpoint))
    in_graph = tf.function(lambda text: tokenizer(text), input_signature=[tf.TensorSpec([None], tf.string)])
    batches = _batches(rows, size)
    return {
        "Rust tokenizers": lambda: [[row.ids for row in rust.encode_batch(batch)] for batch in batches],
        "tfclf, in graph": lambda: [in_graph(tf.constant(batch)).values.numpy() for batch in batches],
    }


def _report(name: str, title: str, figures: list[Figure], options: argparse.Namespace) -> None:
    _RESULTS.mkdir(exist_ok=True)
    content = {
        "format_version": 1,
        "title": title,
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "runs": options.runs,
        "machine": machine(),
        "figures": as_json(figures),
    }
    (_RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    table = Table("contender", "texts/s", "ratio", "range", title=title)
    for figure in figures:
        low, high = figure.ratio_range
        table.add_row(
            figure.contender, f"{figure.texts_per_second:,.0f}", f"{figure.ratio:.2f} x", f"{low:.2f} - {high:.2f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
