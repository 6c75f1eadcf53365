"""`python -m bench.recipes`: run every card's recipe small, on real rows, with the public commands.

    python -m bench.recipes --cards roberta_base_sequence_classifier_imdb

The base is a model of the card's family with its real vocabulary, one or two layers, and random
weights. So a run shows that the road from a card to a served model works and learns, not how good
the card's model gets. It needs TFCLF_SHARED.
Figures go to bench/results/recipes.json and into docs/training.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

from bench import recipe_data
from bench.material import SHARED
from bench.measure import describe_run, machine, write_result
from bench.readme import write_table
from samples.checkpoints import ROOT
from samples.tokenizers import PUBLISHED
from tfclf._transformers import tf_class, transformers
from tfclf.catalog import cards
from tfclf.families import known

_RESULT = ROOT / "bench" / "results" / "recipes.json"
_PAGE = ROOT / "docs" / "training.md"
_VERIFIED_TEXTS = 500
# The least accuracy, as a share of the way from chance to perfect: 0.55 for four labels.
_LEAST_GAIN = 0.4
# Checkpoint and export may differ in accuracy by rows whose two best labels are nearly equal.
_SAME = 1e-3


@dataclass(frozen=True)
class Case:
    """A small run of one card.

    Attributes:
      vocabulary: which of `samples.tokenizers.PUBLISHED` the base gets.
      sizes: of the base, under the names of its config class.
      data: makes or finds the data set's folder, and describes it.
      given: options of `tfclf train` besides --card, --data and --base. A net that starts from
        random weights needs more epochs and a far higher learning rate than a pretrained one.
    """

    card: str
    vocabulary: str
    sizes: Mapping[str, Any]
    data: Callable[[Path], recipe_data.Folder]
    given: Mapping[str, Any] = field(default_factory=dict)


_SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
_ROBERTA = {**_SMALL, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
_FAST = {"learning_rate": 1e-3, "epochs": 3}

CASES = (
    Case(
        "albert_base_sequence_classifier_ag_news",
        "albert-base-v2, tokenizer.json",
        {
            **_SMALL,
            "hidden_size": 128,
            "embedding_size": 128,
            "num_hidden_layers": 2,
            "vocab_size": 30000,
        },
        recipe_data.ag_news_csv,
        {**_FAST, "max_length": 64},
    ),
    Case(
        "distilbert_base_sequence_classifier_ag_news",
        "bert-base-cased, vocab.txt",
        {"dim": 64, "n_layers": 1, "n_heads": 4, "hidden_dim": 128, "vocab_size": 28996},
        recipe_data.ag_news_parquet,
        {**_FAST, "epochs": 4, "max_length": 64},
    ),
    Case(
        "roberta_base_sequence_classifier_imdb",
        "roberta-base, tokenizer.json",
        {**_ROBERTA, "vocab_size": 50265},
        recipe_data.imdb_folders,
        {**_FAST, "max_length": 128},
    ),
    Case(
        "xlm_roberta_base_sequence_classifier_ag_news",
        "xlm-roberta-base, tokenizer.json",
        {**_ROBERTA, "hidden_size": 32, "vocab_size": 250002},
        recipe_data.ag_news_csv,
        {**_FAST, "max_length": 64},
    ),
    Case(
        "xlm_roberta_base_sequence_classifier_allocine",
        "xlm-roberta-base, tokenizer.json",
        {**_ROBERTA, "hidden_size": 32, "vocab_size": 250002},
        recipe_data.allocine_parquet,
        {**_FAST, "max_length": 128},
    ),
)


def main() -> int:
    """Run the chosen cards; return 1 if one learns too little or its export differs."""
    options = _options()
    if not SHARED.is_dir():
        raise SystemExit(
            f"{SHARED} is not there; set TFCLF_SHARED to the folder with the real data."
        )
    console = Console()
    results = _read()
    failed = []
    for case in CASES:
        if case.card not in options.cards:
            continue
        console.rule(case.card)
        with tempfile.TemporaryDirectory() as folder:
            found = run(case, Path(folder))
        console.print_json(json.dumps(found))
        failed += [f"{case.card}: {problem}" for problem in _problems(found)]
        results[case.card] = found
        _write([results[one.card] for one in CASES if one.card in results])
    write_table(_PAGE, table())
    for problem in failed:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if failed else 0


def run(case: Case, folder: Path) -> dict[str, Any]:
    """Train, export, verify and evaluate one case on the command line; return their results."""
    card = cards.find(case.card)
    base = make_base(case, card.family, folder / "base")
    data = case.data(folder / "data")
    checkpoint, exported = folder / case.card, folder / "exports" / case.card
    started = time.perf_counter()
    trained = _tfclf(
        *(
            "train",
            "--card",
            card.nlu_references[0],
            "--base",
            base,
            "--data",
            data.path,
            "--output",
            checkpoint,
        ),
        *data.options,
        *(
            text
            for name, value in case.given.items()
            for text in (f"--{name.replace('_', '-')}", value)
        ),
    )
    seconds = time.perf_counter() - started
    metrics = json.loads((checkpoint / "metrics.json").read_text(encoding="utf-8"))
    exported.parent.mkdir()
    _tfclf("export", checkpoint, exported)
    verified = _tfclf(
        "verify",
        exported,
        "--source",
        checkpoint,
        "--texts",
        data.test_file,
        "--limit",
        _VERIFIED_TEXTS,
        may_fail=True,
    )
    evaluated = _tfclf("evaluate", exported, data.test_file)
    rows, recipe = metrics["rows"], metrics["recipe"]
    return {
        "card": case.card,
        "data": data.description,
        "rows": rows,
        "base": {"model_type": card.family, **case.sizes, "vocabulary": case.vocabulary},
        "recipe": recipe,
        "overridden": metrics["origin"]["overridden"],
        "steps": len(metrics["history"]) * -(-rows["train"] // recipe["batch_size"]),
        "best_epoch": trained["best_epoch"],
        "train_seconds": round(trained["train_runtime"], 1),
        "command_seconds": round(seconds, 1),
        "chance": 1 / len(card.labels),
        "held_back_accuracy": trained["held_back"]["eval_accuracy"],
        "test_accuracy": trained["test"]["eval_accuracy"],
        "test_loss": trained["test"]["eval_loss"],
        "export_accuracy": evaluated["eval_accuracy"],
        "verified": {
            name: verified[name]
            for name in (
                "equal",
                "rows",
                "token_mismatches",
                "label_mismatches",
                "largest_logit_difference",
            )
        },
        "published_accuracy": card.metrics["eval_accuracy"],
        "versions": metrics["versions"],
    }


def make_base(case: Case, family: str, folder: Path) -> Path:
    """Write a checkpoint of the encoder alone: real tokenizer files, random weights."""
    import tf_keras

    folder.mkdir(parents=True)
    PUBLISHED[case.vocabulary](SHARED, folder)
    tf_keras.utils.set_random_seed(0)
    config = transformers().AutoConfig.for_model(family, **case.sizes)
    model = tf_class(known()[family].tf_class.replace("ForSequenceClassification", "Model"))(config)
    model.build_in_name_scope()
    model.save_pretrained(folder, safe_serialization=False)
    return folder


def _tfclf(*words: object, may_fail: bool = False) -> dict[str, Any]:
    """Run a command and return its JSON; with `may_fail`, exit code 1 is a result, too."""
    done = subprocess.run(
        [sys.executable, "-m", "tfclf", *map(str, words), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in ((0, 1) if may_fail else (0,)):
        raise SystemExit(
            f"tfclf {' '.join(map(str, words))} ended with {done.returncode}; it said why above."
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _problems(found: Mapping[str, Any]) -> list[str]:
    problems = []
    # The share of the way from guessing to perfect: 0 is chance, 1 is every row right.
    gain = (found["test_accuracy"] - found["chance"]) / (1 - found["chance"])
    if gain < _LEAST_GAIN:
        problems.append(
            f"accuracy {found['test_accuracy']:.4f}, and {found['chance']:.2f} is chance"
        )
    if not found["verified"]["equal"]:
        problems.append("the export differs from the checkpoint")
    if abs(found["export_accuracy"] - found["test_accuracy"]) > _SAME:
        problems.append(
            f"the export scores {found['export_accuracy']:.4f}, "
            f"the checkpoint {found['test_accuracy']:.4f}"
        )
    return problems


def table() -> str:
    """Return all results as Markdown tables."""
    found = _read()
    lines = [
        "| card | data as laid out | rows | base | learning rate, epochs, length | steps "
        "| training | accuracy (chance) | export: accuracy, largest logit difference |",
        "|-|-|-:|-|-|-:|-:|-:|-:|",
    ]
    lines += [
        "| " + " | ".join(_cells(found[case.card])) + " |" for case in CASES if case.card in found
    ]
    if found:
        versions = next(iter(found.values()))["versions"]
        shown = ", ".join(
            f"{name} {versions[name]}"
            for name in ("tensorflow", "tf-keras", "transformers", "python")
        )
        lines += [
            "",
            f"{machine()['processor']}, {os.cpu_count()} cores shared with other work; {shown}.",
        ]
    return "\n".join(lines)


def _cells(one: Mapping[str, Any]) -> Sequence[str]:
    rows, recipe, base, verified = one["rows"], one["recipe"], one["base"], one["verified"]
    width = base.get("hidden_size") or base.get("dim")
    layers = base.get("num_hidden_layers") or base.get("n_layers")
    return (
        one["card"],
        one["data"],
        f"{rows['train']:,} + {rows['held_back']:,} held back, {rows['test']:,} test",
        f"{layers} layer{'s' if layers > 1 else ''}, {width} wide, {base['vocab_size']:,} pieces",
        f"{recipe['learning_rate']:g}, {recipe['epochs']}, {recipe['max_length']}",
        f"{one['steps']:,}",
        f"{one['train_seconds']:,.0f} s",
        f"{one['test_accuracy']:.4f} ({one['chance']:g})",
        f"{one['export_accuracy']:.4f}, {verified['largest_logit_difference']:.0e} "
        f"on {verified['rows']:,} rows",
    )


def _read() -> dict[str, dict[str, Any]]:
    if not _RESULT.is_file():
        return {}
    return {one["card"]: one for one in json.loads(_RESULT.read_text(encoding="utf-8"))["runs"]}


def _write(runs: Sequence[Mapping[str, Any]]) -> None:
    write_result(_RESULT, {"format_version": 1, **describe_run(), "runs": runs})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    names = [case.card for case in CASES]
    parser.add_argument("--cards", nargs="*", choices=names, default=names)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
