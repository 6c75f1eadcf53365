"""The results of `bench.peers` as Markdown tables: one per case and machine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.peers.contenders import ANCHOR, CONTENDERS

_ORDER = {contender.key: place for place, contender in enumerate(CONTENDERS)}


def render(results: Path) -> str:
    """Return the tables of all results in a folder."""
    contents = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(results.glob("peers_*.json"))
    ]
    return "\n\n".join(_render(content) for content in contents)


def _render(content: Mapping[str, Any]) -> str:
    figures = {(one["load"], one["contender"]): one for one in content["figures"]}
    loads = [
        load
        for load in content["case"]["loads"]
        if any(load["key"] == measured for measured, _ in figures)
    ]
    contenders = sorted(content["contenders"], key=lambda one: _ORDER.get(one["key"], len(_ORDER)))
    lines = [
        "| "
        + " | ".join([content["case"]["name"], *map(_head, loads), "largest logit difference"])
        + " |",
        "|-|" + "-:|" * (len(loads) + 1),
    ]
    reasons = []
    for one in contenders:
        if "refused" in one:
            reasons.append(f"{one['name']}: {one['refused']}.")
            continue
        cells = [_cell(figures.get((load["key"], one["key"])), one) for load in loads]
        difference = f"{one['largest_logit_difference']:.0e}"
        lines.append("| " + " | ".join([one["name"], *cells, difference]) + " |")
    lines += ["", _describe(content)]
    if reasons:
        lines += ["", "Without figures:", "", *(f"- {reason}" for reason in reasons)]
    return "\n".join(lines)


def _head(load: Mapping[str, Any]) -> str:
    if load["key"] == "single":
        return f"{load['name']}: p50 / p99 ms"
    if load["key"].startswith("single_"):
        return f"{load['key'].removeprefix('single_')} tokens: p50 ms"
    return f"{load['name']}: texts/s"


def _cell(figure: Mapping[str, Any] | None, contender: Mapping[str, Any]) -> str:
    if figure is None:
        return "-"
    if figure["load"] == "single":
        shown = f"{_digits(figure['p50_ms'])} / {_digits(figure['p99_ms'])}"
    elif "p50_ms" in figure:
        shown = _digits(figure["p50_ms"])
    else:
        shown = _digits(figure["texts_per_second"])
    against, ratio = _choose_ratio(figure, contender)
    if against in (None, contender["key"]):
        return shown
    low, high = ratio["range"]
    return f"{shown} ({ratio['ratio']:.2f} x, {low:.2f}-{high:.2f})"


def _choose_ratio(
    figure: Mapping[str, Any], contender: Mapping[str, Any]
) -> tuple[str | None, Mapping[str, Any]]:
    """Return our export to compare with: that of equal precision, else that of float32."""
    ratios = figure["tfclf_times_as_fast"]
    for key in (f"tfclf_{contender['precision']}", ANCHOR.key):
        if key in ratios:
            return key, ratios[key]
    return None, {}


def _digits(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _describe(content: Mapping[str, Any]) -> str:
    machine, case = content["machine"], content["case"]
    bulk = next(load["texts"] for load in case["loads"] if load["key"] == "file_order")
    rounds = [one["rounds"] for one in content["figures"]]
    versions: dict[str, str] = {}
    for one in content["contenders"]:
        versions |= one.get("versions", {})
    without = [
        *([] if {"avx512_bf16", "amx_bf16"} & set(machine["features"]) else ["bfloat16"]),
        *([] if {"avx512_vnni", "avx_vnni", "amx_int8"} & set(machine["features"]) else ["int8"]),
    ]
    missing = (
        f" The processor has no instructions for {' and '.join(without)}: their figures are those "
        f"of emulation, and say nothing of a processor that has them."
        if without
        else ""
    )
    return (
        f"Measured {content['made'][:10]} on {machine['processor']}, {machine['cores']} cores "
        f"({', '.join(machine['features'])}), {bulk} texts for bulk ({case['texts']}), "
        f"{min(rounds, default=0)} to {max(rounds, default=0)} rounds. In brackets: how many times "
        f"as fast tfclf in batches is, at equal precision (int8 against float32 while tfclf has no "
        f"int8): median and range of pairs."
        f"{missing} {', '.join(f'{name} {number}' for name, number in sorted(versions.items()))}."
    )
