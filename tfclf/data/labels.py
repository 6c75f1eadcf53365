"""Labels in a file to labels of a model: by name, or by number counted from 0 or from 1."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfclf.data.layout import Layout, Row, read_rows_with_places
from tfclf.data.lines import refuse_pipe
from tfclf.errors import DataError


class LabelledRows(Iterator[Row]):
    """Rows read one at a time, each with one of a model's labels.

    Attributes:
      numbers: the meaning of the numbers in the label column, by number; empty if the labels are
        names, and until the first row is read.
    """

    def __init__(self, rows: Iterator[Row], numbers: dict[str, str]) -> None:
        self._rows = rows
        self.numbers: Mapping[str, str] = numbers

    def __next__(self) -> Row:
        return next(self._rows)


def labelled_rows(
    path: str | Path, labels: Sequence[str], layout: Layout | None = None
) -> LabelledRows:
    """Read the rows of a file, each with one of `labels`.

        rows = labelled_rows("ag_news/test.csv", ["World", "Sports", "Business", "Sci/Tech"])
        next(rows).label   # 'Business'
        rows.numbers   # {'1': 'World', '2': 'Sports', '3': 'Business', '4': 'Sci/Tech'}

    The file is read twice: first to find out what its labels mean, then for the rows.

    Args:
      path, layout: as in `read_rows`.
      labels: the model's, in the order of its outputs.
    Raises: DataError, also if numbers may count from 0 or from 1 and `layout.label_base` is None.
    """
    numbers: dict[str, str] = {}
    return LabelledRows(_label_rows(Path(path), labels, layout or Layout(), numbers), numbers)


def _label_rows(
    path: Path, labels: Sequence[str], layout: Layout, numbers: dict[str, str]
) -> Iterator[Row]:
    refuse_pipe(path)
    places = find_labels(path, layout)
    meaning = resolve_labels(places, labels, path, label_base=layout.label_base)
    numbers |= number_labels(meaning, labels)
    for _, row in read_rows_with_places(path, layout):
        yield Row(row.text, meaning[row.label or ""])


def number_labels(meaning: Mapping[str, str], labels: Sequence[str]) -> dict[str, str]:
    """Return all labels by their numbers if the labels of a file are numbers, or else {}.

    >>> number_labels({"1": "neg"}, ["neg", "pos"])
    {'1': 'neg', '2': 'pos'}
    >>> number_labels({"neg": "neg"}, ["neg", "pos"]), number_labels({"2": "2"}, ["1", "2"])
    ({}, {})
    """
    numbers = [written for written, label in meaning.items() if is_number(written)]
    if not numbers or all(_spell(written, labels) == label for written, label in meaning.items()):
        return {}
    base = _to_int(numbers[0]) - list(labels).index(meaning[numbers[0]])
    return {str(number): label for number, label in enumerate(labels, base)}


def describe_numbers(numbers: Mapping[str, str]) -> str:
    """Say what the numbers in a label column mean.

    >>> describe_numbers({"0": "neg", "1": "pos"})
    'numbers read as 0 neg, 1 pos'
    """
    pairs = ", ".join(f"{number} {label}" for number, label in numbers.items())
    return f"numbers read as {pairs}"


def is_number(written: str) -> bool:
    """Return whether a label is a whole number, also as pandas writes it beside missing ones.

    >>> is_number("-1"), is_number("1.0"), is_number("1.5"), is_number("one")
    (True, True, False, False)
    """
    return re.fullmatch(r"-?[0-9]+(\.0*)?", written) is not None


def _spell(written: str, labels: Sequence[str]) -> str:
    """Return a number in the spelling of a label whose name is that number.

    >>> _spell("1.0", ["0", "1"]), _spell("1.0", ["neg", "pos"]), _spell("one", ["0", "1"])
    ('1', '1.0', 'one')
    """
    if written in labels or not is_number(written):
        return written
    whole = str(_to_int(written))
    return whole if whole in labels else written


def _to_int(written: str) -> int:
    return int(written.partition(".")[0])


def find_labels(path: Path, layout: Layout) -> dict[str, str]:
    """Return every label in the file as spelled there, with the place of its first row."""
    places: dict[str, str] = {}
    for place, row in read_rows_with_places(path, layout):
        places.setdefault(row.label or "", place)
    return places


def resolve_labels(
    places: Mapping[str, str],
    labels: Sequence[str],
    path: Path,
    *,
    label_base: int | None,
    usual_base: int | None = None,
    owner: str = "the model's",
) -> dict[str, str]:
    """Map each label of a file to one of `labels`.

    >>> labels, path = ["neg", "pos"], Path("rows.csv")
    >>> resolve_labels({"pos": "line 2"}, labels, path, label_base=None)
    {'pos': 'pos'}
    >>> resolve_labels({"1": "line 2", "2": "line 3"}, labels, path, label_base=None)
    {'1': 'neg', '2': 'pos'}
    >>> resolve_labels({"1": "line 2"}, labels, path, label_base=0)
    {'1': 'pos'}

    Names are matched as names, even names that are numbers ("1.0" is then "1"). Otherwise all
    labels must be integers. They count from 0 if a 0 is among them, and from 1 if the number of
    labels is.

    Args:
      places: labels of the file, as spelled there, with the place of their first rows.
      usual_base: the first number if the numbers leave it open; None makes that an error.
      owner: whose labels `labels` are, for error messages.
    """
    names = {written: _spell(written, labels) for written in places}
    if label_base is None and all(name in labels for name in names.values()):
        return names
    if not all(is_number(written) for written in places):
        refuse_name(places, labels, path, owner)
    base = label_base
    if base is None:
        base = _infer_base({_to_int(written) for written in places}, len(labels), path, usual_base)
    for written, place in places.items():
        if not base <= _to_int(written) < base + len(labels):
            raise DataError(
                f"{path}, {place}: label {written}; expected {base} to {base + len(labels) - 1}, "
                f"which count the labels {', '.join(labels)} from {base}. "
                f"Correct the file, the labels or --label-base."
            )
    return {written: labels[_to_int(written) - base] for written in places}


def _infer_base(numbers: set[int], count: int, path: Path, usual: int | None) -> int:
    """Return the number of the first of `count` labels, judged by the numbers in a file.

    >>> [_infer_base(numbers, 4, Path("rows.csv"), None) for numbers in ({0, 2}, {1, 4})]
    [0, 1]
    """
    lowest, highest = min(numbers), max(numbers)
    if lowest < 0 or highest > count or highest - lowest >= count:
        raise DataError(
            f"{path}: its labels are numbers from {lowest} to {highest}; expected 0 to "
            f"{count - 1}, or 1 to {count}, for {count} labels. "
            f"Correct the file, or name the right --label-column."
        )
    if 0 in numbers:
        return 0
    if count in numbers:
        return 1
    if usual is not None:
        return usual
    listed = ", ".join(str(number) for number in sorted(numbers)[:10])
    raise DataError(
        f"{path}: its labels are the numbers {listed}, which may count {count} labels from 0 or "
        f"from 1. Say which with --label-base 0 or --label-base 1."
    )


def refuse_name(places: Mapping[str, str], labels: Sequence[str], path: Path, owner: str) -> None:
    """Raise the DataError for the first name in `places` that is none of `labels`.

    Args:
      owner: whose labels these are, for the message.
    """
    wrong, place = next(
        (written, place) for written, place in places.items() if written not in labels
    )
    by_lower_case = {label.lower(): label for label in reversed(labels)}
    near = difflib.get_close_matches(wrong.lower(), [label.lower() for label in labels], n=1)
    hint = f" Did you mean {by_lower_case[near[0]]!r}?" if near else ""
    raise DataError(
        f"{path}, {place}: label {wrong!r} is none of {owner}.{hint} Expected one of "
        f"{', '.join(labels)}, or their numbers. "
        f"Correct the file, or name the right --label-column."
    )
