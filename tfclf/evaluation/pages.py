"""A report, or a comparison, as one HTML page that needs nothing beside it, and as Markdown."""

import functools
import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfclf.errors import MissingExtraError
from tfclf.evaluation.mcnemar import LEVEL
from tfclf.evaluation.mistakes import readable
from tfclf.evaluation.report import Report

if TYPE_CHECKING:
    from tfclf.evaluation.comparison import Comparison
    from tfclf.evaluation.provenance import About
    from tfclf.evaluation.published import Published

# With more classes the picture, or the table, is no longer for people; the JSON beside the page has all counts.
_MOST_DRAWN = 60
_MOST_TABLED = 30
_LONGEST_LINE = 2_000
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def require_jinja() -> Any:
    """Jinja's module. Raises: MissingExtraError where it is not installed."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("Jinja2", extra="evaluate", purpose="writing a report") from error
    return jinja2


def report_page(
    suffix: str, report: Report, *, title: str, about: "About | None", published: "Published | None"
) -> str:
    """The page of one model.

    Args:
      suffix: 'html' or 'md'.
    """
    plots = _plots(report, "only") if suffix == "html" else {}
    return _rendered(
        f"report.{suffix}.j2",
        title=title,
        report=report,
        about=about,
        published=published,
        language=published.language if published else "",
        plots=plots,
    )


def comparison_page(
    suffix: str, comparison: "Comparison", *, title: str, about: "About | None"
) -> str:
    """The page of two models side by side; `suffix` as `report_page` takes it."""
    sides = (("first", comparison.first), ("second", comparison.second))
    plots = {name: _plots(report, name) for name, report in sides} if suffix == "html" else {}
    return _rendered(
        f"comparison.{suffix}.j2",
        title=title,
        comparison=comparison,
        sides=[
            (name, side, report)
            for name, (side, report) in zip(comparison.names, sides, strict=True)
        ],
        verdict=verdict(comparison),
        about=about,
        language="",
        plots=plots,
    )


def verdict(comparison: "Comparison") -> str:
    """What McNemar's test says, in a sentence."""
    found, (first, second) = comparison.mcnemar, comparison.names
    if found.only_first_right == found.only_second_right == 0:
        return f"{first} and {second} are right on the same rows."
    ahead = first if found.only_first_right > found.only_second_right else second
    counts = f"{first} alone is right on {found.only_first_right:,} rows, {second} alone on {found.only_second_right:,}"
    if found.p_value >= LEVEL:
        return f"{counts}: a difference that may well be chance (p = {found.p_value:.3g}, not below {LEVEL})."
    return f"{counts}: {ahead} is right more often, and chance hardly explains it (p = {found.p_value:.3g})."


def shown_metric(name: str, value: float, *, published: bool = False, signed: bool = False) -> str:
    """A metric as people read it: seconds and rates with one decimal, counts with none, the rest with four.

    Args:
      published: with no more digits than its card gives.
      signed: with a plus or a minus before it.
    """
    if name == "eval_samples" or name.endswith("support"):
        text = f"{abs(value):,.0f}"
    elif name == "eval_runtime" or name.endswith("_per_second"):
        text = f"{abs(value):,.1f}"
    else:
        text = f"{abs(value):.4f}"
        if published and len(repr(value)) < len(text):
            text = repr(value)
    if not signed:
        return text if value >= 0 else f"−{text}"
    return f"±{text}" if not text.strip("0.,") else f"{'+' if value > 0 else '−'}{text}"


def _rendered(template: str, **context: Any) -> str:
    page: str = _environment().get_template(template).render(**context)
    return page


@functools.cache
def _environment() -> Any:
    jinja2 = require_jinja()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfclf.evaluation"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "md": _as_markdown,
        "metric": _metric,
        "count": lambda value: f"{value:,}",
    }
    environment.globals |= {"most_tabled": _MOST_TABLED, "matrix_in_words": _matrix_in_words}
    return environment


def _metric(value: float, name: str = "", **options: bool) -> str:
    return shown_metric(name, value, **options)


def _as_markdown(text: Any) -> str:
    """Text that Markdown takes as text, within a table's cell as well; its own direction stays its own."""
    line = html.escape(readable(str(text), longest=_LONGEST_LINE), quote=False)
    line = re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", line)
    return line if line.isascii() and line[:1].isalnum() else f"{_ISOLATE}{line}{_END_ISOLATE}"


def _plots(report: Report, name: str) -> Mapping[str, Any]:
    """The <svg> elements of one model; their ids begin with `name`."""
    from markupsafe import Markup

    from tfclf.evaluation.plot import confusion_matrix_svg, reliability_svg

    drawn = len(report.labels) <= _MOST_DRAWN
    matrix = (
        confusion_matrix_svg(report.confusion_matrix, report.labels, name=f"{name}-matrix")
        if drawn
        else ""
    )
    reliability = reliability_svg(report.calibration, name=f"{name}-reliability")
    # Written by matplotlib and serialized by ElementTree, which escapes the labels in it.
    return {"matrix": Markup(matrix), "reliability": Markup(reliability)}  # noqa: S704


def _matrix_in_words(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    right = sum(row[position] for position, row in enumerate(counts))
    wrong = [
        (count, labels[true], labels[said])
        for true, row in enumerate(counts)
        for said, count in enumerate(row)
        if true != said and count
    ]
    words = f"Confusion matrix: {right:,} of {sum(map(sum, counts)):,} rows on the diagonal."
    if not wrong:
        return words
    count, true, said = max(wrong)
    return f"{words} Most frequent confusion: {said} for {true}, {count:,} rows."
