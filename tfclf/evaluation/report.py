"""The scores of one model as a public record, which writes itself to disk."""

from dataclasses import dataclass
from pathlib import Path

from tfclf.evaluation.provenance import About
from tfclf.evaluation.published import Published
from tfclf.evaluation.scores import Scores
from tfclf.evaluation.writing import write_confusion_matrix, write_report


@dataclass(frozen=True)
class Report(Scores):
    """The scores of a classifier on labelled rows; `Scores` documents the attributes."""

    def write(
        self,
        folder: str | Path,
        *,
        title: str = "Evaluation",
        about: About | None = None,
        published: Published | None = None,
    ) -> None:
        """Write metrics.json, report.html, report.md, confusion_matrix.json, .png, reliability.png.

        All files are made beside the folder and then moved into it: an interrupted run leaves none.

        Args:
          title: of the report and its plots.
          about: which model was evaluated, on which rows.
          published: a card's figures, shown beside these.
        Raises: MissingExtraError without matplotlib or Jinja.
        """
        write_report(self, Path(folder), title=title, about=about, published=published)

    def write_confusion_matrix(self, folder: Path, *, title: str) -> None:
        """Write confusion_matrix.json and .png. Raises: MissingExtraError without matplotlib."""
        write_confusion_matrix(self, folder, title=title)
