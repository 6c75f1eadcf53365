"""The figures as one table in README.md, between two markers."""

import json
from pathlib import Path

_START, _END = "<!-- bench: start -->", "<!-- bench: end -->"


def update(path: Path, results: Path) -> None:
    """Rewrites what stands between the markers; everything else stays."""
    text = path.read_text(encoding="utf-8")
    if _START not in text or _END not in text:
        raise SystemExit(f"{path} lacks the markers {_START} and {_END}; the table has no place.")
    before, rest = text.split(_START, 1)
    _, after = rest.split(_END, 1)
    path.write_text(f"{before}{_START}\n{table(results)}\n{_END}{after}", encoding="utf-8")


def table(results: Path) -> str:
    """Markdown of all results."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    lines = ["| what | contender | texts/s | ratio |", "|-|-|-:|-:|"]
    lines += [
        f"| {content['title']} | {figure['contender']} | {figure['texts_per_second']:,.0f} | {figure['ratio']:.2f} x |"
        for content in contents
        for figure in content["figures"]
    ]
    machine = contents[0]["machine"] if contents else {}
    lines += [
        "",
        f"Medians of {contents[0]['runs']} runs in turn, one process, ratios paired run by run; "
        f"{machine['processor']}, {machine['cores']} cores, TensorFlow {machine['tensorflow']}, "
        f"transformers {machine['transformers']}, tokenizers {machine['tokenizers']}.",
    ]
    return "\n".join(lines)
