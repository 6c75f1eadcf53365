"""The figures as tables in README.md, between two markers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cases import CASES, TOKENIZERS

_ORDER = [case.model_type for case in CASES]


def update(path: Path, results: Path) -> None:
    """Rewrite the tables of README.md from the results."""
    write_table(path, table(results))


def write_table(path: Path, content: str, *, mark: str = "bench") -> None:
    """Replace the text between a page's markers of that name; the rest stays."""
    start, end = f"<!-- {mark}: start -->", f"<!-- {mark}: end -->"
    text = path.read_text(encoding="utf-8")
    if start not in text or end not in text:
        raise SystemExit(f"{path} lacks the markers {start} and {end}; the tables have no place.")
    before, rest = text.split(start, 1)
    _, after = rest.split(end, 1)
    path.write_text(f"{before}{start}\n{content}\n{end}{after}", encoding="utf-8")


def table(results: Path) -> str:
    """Return all results as Markdown tables."""
    encoders = _read(results, [f"text_to_label_{model_type}" for model_type in _ORDER])
    tokenizers = [*_ORDER, *(case.key for case in TOKENIZERS)]
    bulk, small = (
        _read(results, [f"tokenizer_{key}_{size}" for key in tokenizers]) for size in (512, 32)
    )
    lines = [
        "| text to label, batches of 32 | texts | TF class | float32 | bfloat16 |",
        "|-|-|-:|-:|-:|",
        *(_row(one["case"], one["texts"], *_cells(one)) for one in encoders),
        "",
        "| tokenizer alone | texts | Rust | in graph, batches of 512 | batches of 32 |",
        "|-|-|-:|-:|-:|",
        *(
            _row(one["case"], one["texts"], *_cells(one), *_cells(other)[1:])
            for one, other in zip(bulk, small, strict=True)
        ),
    ]
    for one in _read(results, ["footprint"]):
        sizes = one["footprint"]
        lines += [
            "",
            f"Memory of {one['case']} (float32, {sizes['weights_mib']} MiB of weights) above "
            f"TensorFlow's own {sizes['tensorflow_mib']} MiB, at peak: loaded and called once "
            f"{sizes['loaded_and_called_mib']} MiB ({sizes['loaded_to_weights']} x its weights), "
            f"exporting {sizes['export_mib']} MiB ({sizes['export_to_weights']} x). Loading takes "
            f"{sizes['load_seconds']} s, the first call {sizes['first_answer_seconds']} s.",
        ]
    for one in _read(results, ["serving"]):
        lines += [
            "",
            f"| clients, one text per request, {one['case']} | in process, in bulk | unbatched "
            "| batched | share of bulk | batched: p50 / p95 / p99 ms |",
            "|-:|-:|-:|-:|-:|-:|",
            *(_row(*_serving_cells(figure)) for figure in one["figures"]),
            "",
            f"Served: {one['made'][:10]}, {one['machine']['cores']} cores of an "
            f"{one['machine']['processor']} "
            f"{'with' if one['machine']['bfloat16'] else 'without'} instructions for bfloat16, "
            f"which the load generator shares.",
        ]
    if encoders and bulk:
        machine = encoders[0]["machine"]
        lines += [
            "",
            f"Texts per second, and the ratio to the first column: medians of "
            f"{encoders[0]['runs']} runs in turn ({bulk[0]['runs']} for tokenizers) in one "
            f"process, ratios paired run by run. {machine['processor']}, {machine['cores']} cores, "
            f"TensorFlow {machine['tensorflow']}, transformers {machine['transformers']}, "
            f"tokenizers {machine['tokenizers']}.",
        ]
    return "\n".join(lines)


def _read(results: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    paths = [results / f"{name}.json" for name in names]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _serving_cells(figure: dict[str, Any]) -> list[str]:
    alone, batched = figure["alone"], figure["batched"]
    return [
        str(figure["clients"]),
        f"{figure['in_process_bulk']:,.0f}",
        f"{alone['texts_per_second']:,.0f}",
        f"{batched['texts_per_second']:,.0f} ({figure['batched_to_alone']:.2f} x)",
        f"{figure['batched_to_bulk']:.0%}",
        " / ".join(f"{batched[f'p{percent}_ms']:,.0f}" for percent in (50, 95, 99)),
    ]


def _cells(content: dict[str, Any]) -> list[str]:
    peer, *ours = content["figures"]
    return [
        _rate(peer),
        *(f"{_rate(one)} ({one['ratio']:.2f} x)" for one in ours),
    ]


def _rate(figure: dict[str, Any]) -> str:
    rate = figure["texts_per_second"]
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
