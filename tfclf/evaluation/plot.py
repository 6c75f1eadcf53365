"""The confusion matrix and reliability diagram as PNG files, or as SVG in a page's own colours."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tfclf.errors import MissingExtraError
from tfclf.evaluation.calibration import Calibration
from tfclf.evaluation.mistakes import make_readable

_INCHES_A_CLASS = 1.05
_MOST_INCHES = 24.0
_MOST_NUMBERED = 20  # classes or bins; with more, cells and bars are too small for numbers
_LONGEST_LABEL = 24
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"


@dataclass(frozen=True)
class _Colours:
    ink: str
    paper: str
    accent: str
    gap: str
    on_accent: str


_PRINTED = _Colours(
    ink="#1b2a3a", paper="#ffffff", accent="#2359a8", gap="#c2410c", on_accent="#ffffff"
)
# matplotlib writes these into the SVG. Each is then replaced by a CSS variable of the page.
_STAND_INS = _Colours(
    ink="#010101", paper="#020202", accent="#030303", gap="#040404", on_accent="#050505"
)
_VARIABLES = {
    _STAND_INS.ink: "var(--ink)",
    _STAND_INS.paper: "var(--paper)",
    _STAND_INS.accent: "var(--accent)",
    _STAND_INS.gap: "var(--gap)",
    _STAND_INS.on_accent: "var(--on-accent)",
}


def plot_confusion_matrix(
    counts: Sequence[Sequence[int]], labels: Sequence[str], path: Path, *, title: str
) -> None:
    """Draw counts and each row's percentages; a cell is coloured by its percentage.

    Args:
      counts: rows by the true label, columns by the predicted one.
      path: a .png file.
    Raises: MissingExtraError without matplotlib.
    """
    _save_png(_draw_confusion_matrix(counts, labels, _PRINTED, title=title), path)


def plot_reliability(calibration: Calibration, path: Path, *, title: str) -> None:
    """Draw each bin's accuracy, its gap to the bin's confidence, and its fraction of the rows.

    Args:
      path: a .png file.
    Raises: MissingExtraError without matplotlib.
    """
    _save_png(_draw_reliability(calibration, _PRINTED, title=title), path)


def confusion_matrix_svg(
    counts: Sequence[Sequence[int]], labels: Sequence[str], *, name: str
) -> str:
    """Return an <svg> element for a page that defines the CSS variables in `_VARIABLES`.

    Args:
      name: prefix of the ids in it; must be unique in a page.
    """
    return _to_svg(_draw_confusion_matrix(counts, labels, _STAND_INS), name)


def reliability_svg(calibration: Calibration, *, name: str) -> str:
    """Return the reliability diagram in the form of `confusion_matrix_svg`."""
    return _to_svg(_draw_reliability(calibration, _STAND_INS), name)


def require_matplotlib() -> Any:
    """Return the class Figure of matplotlib. Raises: MissingExtraError if it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "matplotlib", extra="evaluate", purpose="drawing a report's plots"
        ) from error
    return Figure


def _draw_confusion_matrix(
    counts: Sequence[Sequence[int]],
    labels: Sequence[str],
    colours: _Colours,
    *,
    title: str | None = None,
) -> Any:
    figure_class = require_matplotlib()
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    fractions = [[count / (sum(row) or 1) for count in row] for row in counts]
    names = [make_readable(label, longest=_LONGEST_LABEL) for label in labels]
    side = min(2.6 + _INCHES_A_CLASS * len(labels), _MOST_INCHES)
    # Without pyplot, Figure draws with Agg: no display needed, no global state left behind.
    figure = figure_class(figsize=(side, side * 0.86), layout="constrained")
    axes = figure.add_subplot()
    accent = to_rgb(colours.accent)
    # From almost transparent, where the page shows through, to the full colour.
    colour_map = LinearSegmentedColormap.from_list("fractions", [(*accent, 0.04), (*accent, 1.0)])
    edges = [position - 0.5 for position in range(len(labels) + 1)]
    axes.pcolormesh(
        edges,
        edges,
        fractions,
        cmap=colour_map,
        vmin=0.0,
        vmax=1.0,
        edgecolors=colours.paper,
        linewidth=1.5,
    )
    axes.invert_yaxis()
    axes.set_aspect("equal")
    ticks = range(len(labels))
    size = 10 if len(labels) <= _MOST_NUMBERED else max(4.0, 10 * _MOST_NUMBERED / len(labels))
    crowded = max(map(len, names)) > 11 or len(labels) > 8
    # parse_math: do not read a label with two dollar signs as a formula.
    words = {"color": colours.ink, "parse_math": False, "fontsize": size}
    slant = {"rotation": 35, "ha": "right"} if crowded else {"rotation": 0, "ha": "center"}
    axes.set_xticks(ticks, names, **slant, **words)
    axes.set_yticks(ticks, names, **words)
    axes.set_xlabel("predicted label", color=colours.ink)
    axes.set_ylabel("true label", color=colours.ink)
    _set_title(axes, title, colours)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(labels) <= _MOST_NUMBERED:
        _write_numbers(axes, counts, fractions, colours)
    return figure


def _write_numbers(
    axes: Any,
    counts: Sequence[Sequence[int]],
    fractions: Sequence[Sequence[float]],
    colours: _Colours,
) -> None:
    for row, cells in enumerate(zip(counts, fractions, strict=True)):
        for column, (count, fraction) in enumerate(zip(*cells, strict=True)):
            colour = colours.on_accent if fraction > 0.6 else colours.ink
            style = {"ha": "center", "va": "center", "color": colour}
            axes.text(column, row - 0.08, f"{count:,}", fontsize=12, **style)
            axes.text(column, row + 0.17, f"{fraction:.1%}", fontsize=8.5, **style)


def _draw_reliability(
    calibration: Calibration, colours: _Colours, *, title: str | None = None
) -> Any:
    figure = require_matplotlib()(figsize=(6.2, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    width = 1 / len(calibration.bins)
    rows = sum(one.rows for one in calibration.bins)
    for one in calibration.bins:
        if one.accuracy is None or one.confidence is None:
            continue
        middle = (one.low + one.high) / 2
        bar = {"x": middle, "width": 0.92 * width}
        upper.bar(height=one.accuracy, color=colours.accent, **bar)
        upper.bar(
            height=one.confidence - one.accuracy,
            bottom=one.accuracy,
            facecolor="none",
            edgecolor=colours.gap,
            hatch="////",
            linewidth=1.0,
            **bar,
        )
        # The edge shows a bin of few rows, whose bar would be thinner than a line.
        fraction = one.rows / rows
        lower.bar(height=fraction, color=colours.accent, edgecolor=colours.accent, **bar)
        if len(calibration.bins) <= _MOST_NUMBERED:
            centred = {"ha": "center", "va": "bottom", "fontsize": 7, "color": colours.ink}
            lower.text(middle, fraction, f"{one.rows:,}", **centred)
    upper.plot([0, 1], [0, 1], linestyle="--", linewidth=1.0, color=colours.ink)
    lower.axvline(calibration.confidence, linestyle="--", linewidth=1.0, color=colours.gap)
    upper.set_ylabel("accuracy")
    _add_legend(upper, colours)
    lower.set_ylabel("share of rows")
    lower.set_xlabel("confidence: probability of the predicted label")
    _set_title(upper, title, colours)
    for axes in (upper, lower):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1 if axes is upper else 1.2)  # numbers stand above the lower bars
        axes.patch.set_alpha(0)
        axes.tick_params(colors=colours.ink)
        axes.xaxis.label.set_color(colours.ink)
        axes.yaxis.label.set_color(colours.ink)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(colours.ink)
    return figure


def _add_legend(axes: Any, colours: _Colours) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": colours.gap, "hatch": "////"}
    axes.legend(
        handles=[
            Patch(color=colours.accent, label="accuracy"),
            Patch(**hatched, label="gap to the mean confidence"),
            Line2D([], [], linestyle="--", color=colours.ink, label="no gap"),
            Line2D([], [], linestyle="--", color=colours.gap, label="below: mean confidence"),
        ],
        loc="upper left",
        frameon=False,
        fontsize=9,
        labelcolor=colours.ink,
    )


def _set_title(axes: Any, title: str | None, colours: _Colours) -> None:
    if title is not None:
        axes.set_title(
            make_readable(title), pad=12, loc="left", color=colours.ink, parse_math=False
        )


def _save_png(figure: Any, path: Path) -> None:
    with _ignore_missing_glyphs():
        # tight: in a square image, the constrained layout cuts the labels on the left.
        figure.savefig(path, dpi=150, format="png", bbox_inches="tight", pad_inches=0.2)


def _to_svg(figure: Any, name: str) -> str:
    from matplotlib import rc_context

    written = io.StringIO()
    # none: keep text as text. The reader's fonts have glyphs that matplotlib's font lacks.
    with _ignore_missing_glyphs(), rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(written, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.1)
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314 (written just above)
    for parent in list(root.iter()):
        for child in list(parent):
            # A style would apply to the whole page.
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        attributes = {
            key.removeprefix(_XLINK): _adapt_attribute(value, name)
            for key, value in element.attrib.items()
        }
        if "id" in attributes:
            attributes["id"] = f"{name}-{attributes['id']}"
        element.attrib.clear()
        element.attrib.update(attributes)
    size = root.attrib.pop("width").removesuffix("pt")
    del root.attrib["height"]
    root.attrib.update({"aria-hidden": "true", "style": f"max-width: {float(size) * 4 / 3:.0f}px"})
    return ElementTree.tostring(root, encoding="unicode")


def _adapt_attribute(value: str, name: str) -> str:
    """Point references to this plot's own ids, and colours to the page's variables.

    >>> _adapt_attribute("url(#clip1)", "matrix"), _adapt_attribute("fill: #030303", "matrix")
    ('url(#matrix-clip1)', 'fill: var(--accent)')
    """
    for stand_in, variable in _VARIABLES.items():
        value = value.replace(stand_in, variable)
    return re.sub(r"^#|(?<=url\()#", f"#{name}-", value)


@contextmanager
def _ignore_missing_glyphs() -> Iterator[None]:
    """Silence matplotlib's warning about characters its font lacks; it draws boxes for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        yield
