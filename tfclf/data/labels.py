"""Labels as a file writes them to the labels of a model: by name, or by a number counted from 0 or from 1."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfclf.data.layout import Layout, Row, rows_with_places
from tfclf.errors import DataError


def labelled_rows(
    path: str | Path, labels: Sequence[str], layout: Layout | None = None
) -> Iterator[Row]:
    """The rows of a file, each with one of `labels`. Reads the file twice: what its labels mean comes first.

    >>> next(labelled_rows("ag_news/test.csv", ["World", "Sports", "Business", "Sci/Tech"])).label
    'Business'

    Args:
      path, layout: as `read_rows` takes them.
      labels: of the model, in the order of its outputs.
    Raises: DataError; also where numbers may count from 0 or from 1, and `layout.label_base` does not say.
    """
    path, layout = Path(path), layout or Layout()
    meaning = label_meaning(first_places(path, layout), labels, path, label_base=layout.label_base)
    for _, row in rows_with_places(path, layout):
        yield Row(row.text, meaning[row.label or ""])


def first_places(path: Path, layout: Layout) -> dict[str, str]:
    """Every label in the file as it is written there, with the place of the first row that has it."""
    places: dict[str, str] = {}
    for place, row in rows_with_places(path, layout):
        places.setdefault(row.label or "", place)
    return places


def label_meaning(
    places: Mapping[str, str],
    labels: Sequence[str],
    path: Path,
    *,
    label_base: int | None,
    usual_base: int | None = None,
    whose: str = "the model's",
) -> dict[str, str]:
    """Label as written -> one of `labels`.

    Names are taken as names, even names that are numbers. Else all must be whole numbers; they count from 0
    where a 0 is among them, from 1 where the number of labels is.

    Args:
      usual_base: from where they count where the numbers leave it open; None: that is an error.
      whose: the labels are, in messages.
    """
    if label_base is None and all(written in labels for written in places):
        return {written: written for written in places}
    if not all(re.fullmatch("-?[0-9]+", written) for written in places):
        refuse_name(places, labels, path, whose)
    numbers = {int(written) for written in places}
    base = label_base if label_base is not None else _base(numbers, len(labels), path, usual_base)
    for written, place in places.items():
        if not base <= int(written) < base + len(labels):
            raise DataError(
                f"{path}, {place}: label {written}; expected {base} to {base + len(labels) - 1}, which count "
                f"the labels {', '.join(labels)} from {base}. Correct the file, the labels or --label-base."
            )
    return {written: labels[int(written) - base] for written in places}


def _base(numbers: set[int], count: int, path: Path, usual: int | None) -> int:
    lowest, highest = min(numbers), max(numbers)
    if lowest < 0 or highest > count or highest - lowest >= count:
        raise DataError(
            f"{path}: its labels are numbers from {lowest} to {highest}; expected 0 to {count - 1}, or 1 to "
            f"{count}, for {count} labels. Correct the file, or name the right --label-column."
        )
    if 0 in numbers:
        return 0
    if count in numbers:
        return 1
    if usual is not None:
        return usual
    listed = ", ".join(str(number) for number in sorted(numbers)[:10])
    raise DataError(
        f"{path}: its labels are the numbers {listed}, which may count {count} labels from 0 or from 1. "
        f"Say which with --label-base 0 or --label-base 1."
    )


def refuse_name(places: Mapping[str, str], labels: Sequence[str], path: Path, whose: str) -> None:
    """Raises the DataError for a name that is none of `labels`; `whose` they are, in its message."""
    wrong, place = next(
        (written, place) for written, place in places.items() if written not in labels
    )
    near = difflib.get_close_matches(wrong.lower(), [label.lower() for label in labels], n=1)
    hint = next(
        (f" Did you mean {label!r}?" for label in labels if near and label.lower() == near[0]), ""
    )
    raise DataError(
        f"{path}, {place}: label {wrong!r} is none of {whose}.{hint} Expected one of "
        f"{', '.join(labels)}, or their numbers. Correct the file, or name the right --label-column."
    )
