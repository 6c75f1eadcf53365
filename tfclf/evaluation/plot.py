"""The confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfclf.errors import MissingExtraError

_INCHES_A_CLASS = 1.05


def plot_confusion_matrix(counts: Sequence[Sequence[int]], labels: Sequence[str], path: Path, *, title: str) -> None:
    """Draws counts and each row's percentages; a cell is coloured by its percentage.

    Args:
      counts: rows by the true label, columns by the predicted one.
      path: a .png file.
    Raises: MissingExtraError without matplotlib.
    """
    figure_class = require_matplotlib()
    shares = [[count / (sum(row) or 1) for count in row] for row in counts]
    side = 2.6 + _INCHES_A_CLASS * len(labels)
    # Figure without pyplot draws with Agg, needs no display, and leaves no global state behind.
    figure = figure_class(figsize=(side, side * 0.86), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_label("share of the true label's rows")
    bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ticks = range(len(labels))
    crowded = max(len(label) for label in labels) > 11 or len(labels) > 8
    axes.set_xticks(ticks, labels, rotation=35 if crowded else 0, ha="right" if crowded else "center")
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    axes.set_title(title, pad=12, loc="left")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks([tick - 0.5 for tick in ticks][1:], minor=True)
    axes.set_yticks([tick - 0.5 for tick in ticks][1:], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    for row, (found, shared) in enumerate(zip(counts, shares, strict=True)):
        for column, (count, share) in enumerate(zip(found, shared, strict=True)):
            colour = "white" if share > 0.55 else "#1b2a3a"
            axes.text(column, row - 0.08, f"{count:,}", ha="center", va="center", color=colour, fontsize=12)
            axes.text(column, row + 0.15, f"{share:.1%}", ha="center", va="center", color=colour, fontsize=8.5)
    # tight: the constrained layout leaves a square image too little room for the labels on its left.
    figure.savefig(path, dpi=150, format="png", bbox_inches="tight", pad_inches=0.2)


def require_matplotlib() -> Any:
    """The Figure of matplotlib. Raises: MissingExtraError where it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="evaluate", purpose="drawing a confusion matrix") from error
    return Figure
