"""`python -m bench`: run every comparison; write the figures to bench/results and README.md."""

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

from bench import contenders, footprint, readme, serving
from bench.cases import CASES, TOKENIZERS, Case, TokenizerCase
from bench.material import available, base_checkpoint, texts, tokenizer_folder
from bench.measure import as_json, compare, describe_run, write_result
from samples.checkpoints import ROOT

_BATCH = 32
# The batch of bulk scoring, and that of one request to a server.
_TOKENIZER_BATCHES = (512, _BATCH)
_TOKENIZER_TEXTS = 2560
# One turn of a tokenizer takes a fraction of a second; a noisy machine needs several.
_TOKENIZER_TURNS = 5
# By the name of their results; of cases that share a vocabulary, only the first.
_TOKENIZERS: Mapping[str, Case | TokenizerCase] = {
    **{
        case.model_type: case
        for case in {case.vocabulary: case for case in reversed(CASES)}.values()
    },
    **{case.key: case for case in TOKENIZERS},
}
_SERVING_TEXTS = 1024
_FOOTPRINT_OF = "bert"
_RESULTS = ROOT / "bench" / "results"


def main() -> None:
    """Run the comparisons that the command line chooses."""
    options = _options()
    console = Console()
    for case in CASES:
        if case.model_type not in options.families:
            continue
        if not available(case):
            console.print(f"{case.name} is left out: TFCLF_SHARED has no vocabulary for it")
            continue
        with tempfile.TemporaryDirectory() as folder:
            _measure(case, Path(folder), options)
    for key, one in _TOKENIZERS.items():
        if key in options.tokenizers and available(one):
            with tempfile.TemporaryDirectory() as folder:
                _measure_tokenizer(
                    one, key, tokenizer_folder(one, Path(folder) / "tokenizer"), options
                )
    if options.serving and available(CASES[0]):
        description, rows = texts("AG News", _SERVING_TEXTS)
        with tempfile.TemporaryDirectory() as folder:
            _write(
                "serving",
                {
                    "case": "the bundled demo model",
                    "texts": description,
                    "runs": options.runs,
                    "figures": serving.measure(rows, runs=options.runs, logs=Path(folder)),
                    "overhead": serving.measure_overhead(
                        rows, runs=options.runs, folder=Path(folder)
                    ),
                },
            )
    if options.update_readme:
        readme.update(ROOT / "README.md", _RESULTS)
    console.print(readme.table(_RESULTS), markup=False, soft_wrap=True)


def _measure(case: Case, folder: Path, options: argparse.Namespace) -> None:
    checkpoint = base_checkpoint(case, folder / "checkpoint")
    if case.model_type == _FOOTPRINT_OF:
        _write(
            "footprint",
            {"case": case.name, "footprint": footprint.measure(checkpoint, folder / "footprint")},
        )
    description, rows = texts(case.data, case.texts)
    figures = compare(
        contenders.text_to_label(checkpoint, folder, rows, batch_size=_BATCH),
        texts=len(rows),
        runs=options.runs,
    )
    _write(
        f"text_to_label_{case.model_type}",
        {
            "case": case.name,
            "texts": description,
            "batch_size": _BATCH,
            "runs": options.runs,
            "figures": as_json(figures),
        },
    )


def _measure_tokenizer(
    case: Case | TokenizerCase, key: str, folder: Path, options: argparse.Namespace
) -> None:
    for size in _TOKENIZER_BATCHES:
        description, rows = texts(case.data, _TOKENIZER_TEXTS)
        runs = options.runs * _TOKENIZER_TURNS
        figures = compare(
            contenders.tokenizers(folder, rows, batch_size=size), texts=len(rows), runs=runs
        )
        _write(
            f"tokenizer_{key}_{size}",
            {
                "case": case.tokenizer,
                "texts": description,
                "batch_size": size,
                "runs": runs,
                "figures": as_json(figures),
            },
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs",
        type=int,
        default=5,
        help="counted runs of each contender; tokenizers run five times as often",
    )
    known = [case.model_type for case in CASES]
    parser.add_argument(
        "--families",
        nargs="*",
        choices=known,
        default=known,
        help="families to measure from text to label; give no name to skip the encoders",
    )
    parser.add_argument(
        "--tokenizers", nargs="*", choices=list(_TOKENIZERS), default=list(_TOKENIZERS)
    )
    parser.add_argument("--serving", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--update-readme", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def _write(name: str, content: Mapping[str, Any]) -> None:
    write_result(_RESULTS / f"{name}.json", {"format_version": 2, **describe_run(), **content})


if __name__ == "__main__":
    main()
