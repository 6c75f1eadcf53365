"""The results of `bench.peers` as Markdown tables: one per case and machine."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.peers.contenders import ANCHOR, CONTENDERS, PRECISIONS

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
    contenders = sorted(content["contenders"], key=_place)
    measured = [one for one in contenders if "refused" not in one]
    loads = content["case"]["loads"]
    single = [load for load in loads if load["key"].startswith("single")]
    bulk = [load for load in loads if load not in single]
    name = content["case"]["name"]
    lines = [
        *_rows(f"{name}, one text a call", single, measured, figures),
        "",
        *_rows(f"{name}, batches of 32 or streams", bulk, measured, figures),
        "",
        _describe(content),
    ]
    notes = [f"{one['name']}: {one['refused']}." for one in contenders if "refused" in one]
    notes += [
        f"{one['name']}: one round, and no load that takes minutes."
        for one in measured
        if one["is_slow"]
    ]
    if notes:
        lines += ["", "Left out, in whole or in part:", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines)


def _rows(
    title: str,
    loads: Sequence[Mapping[str, Any]],
    contenders: Sequence[Mapping[str, Any]],
    figures: Mapping[tuple[str, str], Mapping[str, Any]],
) -> list[str]:
    measured = {load for load, _ in figures}
    loads = [load for load in loads if load["key"] in measured]
    lines = [
        _line(title, *map(_head, loads), "largest logit difference"),
        "|-|" + "-:|" * (len(loads) + 1),
    ]
    for one in contenders:
        mine = [figures.get((load["key"], one["key"])) for load in loads]
        if any(mine):  # streams do not run one text a call
            difference = f"{one['largest_logit_difference']:.0e}"
            lines.append(_line(one["name"], *(_cell(figure, one) for figure in mine), difference))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _place(contender: Mapping[str, Any]) -> tuple[int, int]:
    """Return what contenders are sorted by: precision, then the order of `CONTENDERS`."""
    precision = PRECISIONS.index(contender["precision"])
    return precision, _ORDER.get(contender["key"], len(_ORDER))


def _head(load: Mapping[str, Any]) -> str:
    if load["key"] == "single":
        return "natural length: p50 / p99 ms"
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
        f"{_name_range(rounds)} rounds. In brackets: how many times "
        f"as fast tfclf in batches is, at equal precision (against float32 where tfclf has no "
        f"figure): median and range of pairs."
        f"{missing} {', '.join(f'{name} {number}' for name, number in sorted(versions.items()))}."
    )


def _name_range(counts: Sequence[int]) -> str:
    """Name the smallest and the largest number, or the one if they are equal.

    >>> _name_range([3, 2, 3]), _name_range([2, 2]), _name_range([])
    ('2 to 3', '2', '0')
    """
    least, most = min(counts, default=0), max(counts, default=0)
    return f"{least}" if least == most else f"{least} to {most}"
