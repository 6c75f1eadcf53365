"""A report or a comparison as one self-contained HTML page, and as Markdown."""

import functools
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfclf.errors import MissingExtraError
from tfclf.evaluation.mcnemar import LEVEL
from tfclf.evaluation.mistakes import Mistake, make_readable
from tfclf.evaluation.pair_scores import PairScores
from tfclf.evaluation.plot import confusion_matrix_svg, reliability_svg
from tfclf.evaluation.provenance import About
from tfclf.evaluation.published import Published
from tfclf.evaluation.scores import Scores
from tfclf.explanation import make_heat

# With more classes, people cannot read the picture or the table. The JSON beside the page has every
# count.
_MOST_DRAWN = 60
_MOST_TABLED = 30
_LONGEST_LINE = 2_000
_CODE = re.compile(r"`([^`]+)`")
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def require_jinja() -> Any:
    """Return the module of Jinja. Raises: MissingExtraError if it is not installed."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("Jinja2", extra="evaluate", purpose="writing a report") from error
    return jinja2


def report_page(
    suffix: str, scores: Scores, *, title: str, about: About | None, published: Published | None
) -> str:
    """Render the page of one model.

    Args:
      suffix: 'html' or 'md'.
    """
    plots = _draw_plots(scores, "only") if suffix == "html" else {}
    return _render(
        f"report.{suffix}.j2",
        title=title,
        report=scores,
        about=about,
        published=published,
        language=published.language if published else "",
        plots=plots,
    )


def multi_label_page(suffix: str, report: Any, *, title: str, about: About | None) -> str:
    """Render the page of a multi-label model; `suffix` as in `report_page`."""
    return _render(f"multi_label.{suffix}.j2", title=title, report=report, about=about)


def calibration_page(suffix: str, report: Any, *, title: str, about: About | None) -> str:
    """Render the page of a calibration, a `CalibrationReport`; `suffix` as in `report_page`."""
    plots = {}
    if suffix == "html":
        from markupsafe import Markup

        plots = {
            when: Markup(reliability_svg(one.calibration, name=when))  # noqa: S704 (matplotlib's)
            for when, one in (("before", report.before), ("after", report.after))
        }
    return _render(f"calibration.{suffix}.j2", title=title, report=report, about=about, plots=plots)


def comparison_page(suffix: str, pair: PairScores, *, title: str, about: About | None) -> str:
    """Render the page of two models side by side; `suffix` as in `report_page`."""
    sides = (("first", pair.first), ("second", pair.second))
    plots = {}
    if suffix == "html":
        plots = {side: _draw_plots(scores, side) for side, scores in sides}
    return _render(
        f"comparison.{suffix}.j2",
        title=title,
        comparison=pair,
        sides=[(name, *side) for name, side in zip(pair.names, sides, strict=True)],
        verdict=verdict(pair),
        about=about,
        language="",
        plots=plots,
    )


def verdict(pair: PairScores) -> str:
    """Return the outcome of McNemar's test as a sentence."""
    test, (first, second) = pair.mcnemar, pair.names
    if test.only_first_right == test.only_second_right == 0:
        return f"{first} and {second} are right on the same rows."
    ahead = first if test.only_first_right > test.only_second_right else second
    counts = (
        f"{first} alone is right on {test.only_first_right:,} rows, "
        f"{second} alone on {test.only_second_right:,}"
    )
    p_value = f"p = {test.p_value:.3g}"
    if test.p_value >= LEVEL:
        return f"{counts}: a difference that may well be chance ({p_value}, not below {LEVEL})."
    return f"{counts}: {ahead} is right more often, and chance hardly explains it ({p_value})."


def format_metric(name: str, value: float, *, published: bool = False, signed: bool = False) -> str:
    """Format a metric: seconds and rates with one decimal, counts with none, others with four.

    >>> format_metric("eval_samples", 7600), format_metric("eval_runtime", 12.34)
    ('7,600', '12.3')
    >>> format_metric("eval_accuracy", 0.93, published=True)
    '0.93'
    >>> format_metric("eval_accuracy", 0.02, signed=True)
    '+0.0200'

    Args:
      published: use no more digits than the card gives.
      signed: put a plus or a minus in front.
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
    if not text.strip("0.,"):
        return f"±{text}"
    return f"+{text}" if value > 0 else f"−{text}"


def _render(template: str, **context: Any) -> str:
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
        "code": _with_code,
        "md_code": _as_markdown_with_code,
        "metric": _metric,
        "heat": _heat,
        "count": lambda value: f"{value:,}",
    }
    environment.globals |= {"most_tabled": _MOST_TABLED, "describe_matrix": _describe_matrix}
    return environment


def _metric(value: float, name: str = "", **options: bool) -> str:
    return format_metric(name, value, **options)


def _as_markdown(text: Any) -> str:
    r"""Escape a text for Markdown, also within a table's cell; isolate its writing direction.

    >>> _as_markdown("a|b <i>")
    'a\\|b &lt;i&gt;'
    """
    line = _escape_markdown(make_readable(str(text), longest=_LONGEST_LINE))
    return _isolate(line)


def _escape_markdown(text: str) -> str:
    line = html.escape(text, quote=False)
    return re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", line)


def _isolate(line: str) -> str:
    return line if line.isascii() and line[:1].isalnum() else f"{_ISOLATE}{line}{_END_ISOLATE}"


def _as_markdown_with_code(text: str) -> str:
    r"""Escape a text for Markdown, except that `code` stays code.

    >>> _as_markdown_with_code("lower_case: see `train_it` <b>")
    'lower\\_case: see `train_it` &lt;b&gt;'
    """
    parts = _CODE.split(make_readable(text, longest=_LONGEST_LINE))
    parts[::2] = map(_escape_markdown, parts[::2])
    parts[1::2] = [f"`{code}`" for code in parts[1::2]]
    return _isolate("".join(parts))


def _with_code(text: str) -> Any:
    """Escape a text for HTML, with `code` as an element.

    >>> print(_with_code("see `a < b` & more"))
    see <code>a &lt; b</code> &amp; more
    """
    from markupsafe import Markup

    return Markup(_CODE.sub(r"<code>\1</code>", html.escape(text)))  # noqa: S704 (escaped)


def _heat(mistake: Mistake) -> Any:
    """Return a mistake's text with a shade on each word that moved its label."""
    from markupsafe import Markup

    words = mistake.words or ()
    strongest = max((abs(word.effect) for word in words), default=0.0)
    return Markup(make_heat(mistake.text, words, strongest))  # noqa: S704 (escaped)


def _draw_plots(scores: Scores, name: str) -> Mapping[str, Any]:
    """Draw the <svg> elements of one model; their ids begin with `name`."""
    from markupsafe import Markup

    matrix = ""
    if len(scores.labels) <= _MOST_DRAWN:
        matrix = confusion_matrix_svg(scores.confusion_matrix, scores.labels, name=f"{name}-matrix")
    reliability = reliability_svg(scores.calibration, name=f"{name}-reliability")
    # Safe: matplotlib wrote them, and ElementTree escaped the labels when it serialized them.
    return {"matrix": Markup(matrix), "reliability": Markup(reliability)}  # noqa: S704


def _describe_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Describe a confusion matrix in words, for readers who cannot see the picture.

    >>> _describe_matrix(["neg", "pos"], [[2, 1], [0, 2]])
    'Confusion matrix: 4 of 5 rows on the diagonal. Most frequent confusion: pos for neg, 1 rows.'
    """
    right = 0
    wrong = []
    for true, row in enumerate(counts):
        right += row[true]
        for predicted, count in enumerate(row):
            if true != predicted and count:
                wrong.append((count, labels[true], labels[predicted]))
    words = f"Confusion matrix: {right:,} of {sum(map(sum, counts)):,} rows on the diagonal."
    if not wrong:
        return words
    count, true_label, predicted_label = max(wrong)
    return f"{words} Most frequent confusion: {predicted_label} for {true_label}, {count:,} rows."
