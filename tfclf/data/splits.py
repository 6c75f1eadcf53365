"""The splits of a data set in a folder: the files that hold training and test rows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tfclf.data.class_folders import find_class_folders, read_class_folders
from tfclf.data.data_sets import DataSet
from tfclf.data.labels import (
    LabelledRows,
    find_labels,
    number_labels,
    refuse_name,
    resolve_labels,
)
from tfclf.data.layout import Layout, Row, is_official_ag_news, read_rows_with_places
from tfclf.data.records import SUFFIXES, is_separated
from tfclf.errors import DataError
from tfclf.files import list_folder

# File names of `datasets`; older uploads have a hash behind the count.
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.parquet")
# Options of the command line that name the file of a split.
_OPTIONS = {"train": "--train-file", "test": "--test"}


@dataclass(frozen=True)
class SplitFiles:
    """The files of a split.

    Attributes:
      files: files of rows, in order; empty if the split is in class folders.
      folders: label -> the folder of its texts.
    """

    data_set: DataSet
    files: tuple[Path, ...] = ()
    folders: Mapping[str, Path] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, or the class folders."""
        return self.files or tuple(self.folders.values())

    @property
    def names(self) -> list[str]:
        """The names of the paths without their location: "train.csv", "train/neg".

        >>> SplitFiles(None, folders={"neg": Path("data/train/neg")}).names
        ['train/neg']
        """
        return [path.name for path in self.files] or [
            "/".join(path.parts[-2:]) for path in self.folders.values()
        ]


def find_split(folder: str | Path, data_set: DataSet, split: str) -> SplitFiles | None:
    """Find the files of a split ("train", "test") in a folder laid out as published.

        find_split("ag_news", find_data_set("ag_news"), "test").names   # ['test.csv']

    Known layouts: one file (.csv, .jsonl, both also .gz, .parquet), Parquet shards, and class
    folders (aclImdb); in the folder itself or in one of the data set's subfolders.

    Returns: None if the folder holds no such split.
    Raises: DataError if there is more than one, if part of it is missing, or if the folder is of
      another data set.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"{folder} {problem}. Expected the folder of {data_set.title}: {data_set.address}"
        )
    try:
        _refuse_other_classes(folder, data_set)
        for stem in data_set.stems[split]:
            for place in (folder, *(folder / name for name in data_set.subfolders)):
                candidates = _find_candidates(place, stem, data_set)
                if len(candidates) > 1:
                    names = " and ".join(", ".join(one.names[:3]) for one in candidates)
                    raise DataError(
                        f"{place} holds the {split} rows of {data_set.title} more than once: "
                        f"{names}. Expected one of them; say which with {_OPTIONS[split]}, "
                        f"or move the rest away."
                    )
                if candidates:
                    return candidates[0]
    except OSError as error:
        raise DataError(
            f"{error.filename or folder} cannot be read: {error.strerror or error}."
        ) from error
    return None


def split_of(files: Sequence[str | Path], data_set: DataSet) -> SplitFiles:
    """Return a split made of the named files. Raises: DataError if one is no file of rows."""
    paths = tuple(Path(file) for file in files)
    for path in paths:
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(
                f"{path} {problem}. Expected a file of rows of {data_set.title}: "
                f"{', '.join(SUFFIXES)}."
            )
    return SplitFiles(data_set, files=paths)


def split_rows(
    split: SplitFiles, layout: Layout | None = None, *, as_published: bool = True
) -> LabelledRows:
    """Read the rows of a split, each with one of the data set's labels.

    Files are read twice: first to find out what their labels mean, then for the rows.

    Args:
      as_published: whether the files are known to number their labels as published. If not, numbers
        that may count from 0 or from 1 are an error, except in the official columns of AG News.
    Raises: DataError, which names the file and the line; MissingExtraError.
    """
    numbers: dict[str, str] = {}
    rows = _read_split(split, layout or Layout(), numbers, as_published=as_published)
    return LabelledRows(rows, numbers)


def _read_split(
    split: SplitFiles, layout: Layout, numbers: dict[str, str], *, as_published: bool
) -> Iterator[Row]:
    if split.folders:
        yield from read_class_folders(split.folders)
        return
    meaning = _resolve_split_labels(split, layout, as_published=as_published)
    numbers |= number_labels(meaning, split.data_set.labels)
    for path in split.files:
        for _, row in read_rows_with_places(path, layout):
            yield replace(row, label=meaning[row.label or ""])


def _resolve_split_labels(
    split: SplitFiles, layout: Layout, *, as_published: bool
) -> Mapping[str, str]:
    """Map the labels of all files together to the data set's.

    A shard alone may hold a single label, and so not show where its numbers start.
    """
    data_set = split.data_set
    places: dict[str, str] = {}
    where = split.files[0] if len(split.files) == 1 else split.files[0].parent
    for path in split.files:
        for written, place in find_labels(path, layout).items():
            places.setdefault(written, place if path == where else f"{path.name}, {place}")
    named = {written: data_set.label_named(written) for written in places}
    owner = f"{data_set.title}'s"
    if layout.label_base is None and any(named.values()):
        unknown = {written: place for written, place in places.items() if not named[written]}
        if unknown:
            refuse_name(unknown, data_set.labels, where, owner)
        return {written: label for written, label in named.items() if label}
    return resolve_labels(
        places,
        data_set.labels,
        where,
        label_base=layout.label_base,
        usual_base=_find_usual_base(split, layout, as_published=as_published),
        owner=owner,
    )


def _find_usual_base(split: SplitFiles, layout: Layout, *, as_published: bool) -> int | None:
    """Return the number of the first label in such published files; None if there are none such.

    CSV files with a header are nobody's: people write AG News that way from 0 and from 1.
    """
    first = split.files[0]
    if is_official_ag_news(first, layout):
        return split.data_set.official_first_number
    return 0 if as_published and not is_separated(first, layout.format) else None


def _find_candidates(folder: Path, stem: str, data_set: DataSet) -> list[SplitFiles]:
    names = {f"{stem}{suffix}" for suffix in SUFFIXES}
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    single = [path for path in entries if path.name.lower() in names and path.is_file()]
    splits = [SplitFiles(data_set, files=(path,)) for path in single]
    if shards := _find_shards(folder, stem):
        splits.append(SplitFiles(data_set, files=shards))
    if (folder / stem).is_dir():
        if by_label := find_class_folders(folder / stem, data_set):
            splits.append(SplitFiles(data_set, folders=by_label))
        # The hub's own conversions: train/0000.parquet and so on.
        elif numbered := tuple(sorted((folder / stem).glob("*.parquet"))):
            splits.append(SplitFiles(data_set, files=numbered))
    return splits


def _find_shards(folder: Path, stem: str) -> tuple[Path, ...]:
    shards: dict[int, Path] = {}
    counts = set()
    for path in sorted(folder.glob(f"{stem}-*.parquet")):
        match = _SHARD.fullmatch(path.name.removeprefix(stem))
        if match is None:
            continue
        number, count = int(match[1]), int(match[2])
        if number in shards:
            raise DataError(
                f"{folder} holds shard {number} twice: {shards[number].name} and {path.name}. "
                f"Expected each once; move the older ones away."
            )
        counts.add(count)
        shards[number] = path
    if not shards:
        return ()
    if len(counts) > 1:
        raise DataError(
            f"{folder} holds shards of {' and of '.join(str(count) for count in sorted(counts))} "
            f"files that begin with {stem}-. Expected those of one upload; move the others away."
        )
    missing = sorted(set(range(counts.pop())) - set(shards))
    if missing:
        listed = ", ".join(f"{number:05d}" for number in missing[:10])
        raise DataError(
            f"{folder} holds {len(shards)} of the {len(shards) + len(missing)} shards of "
            f"{stem}-*.parquet; missing: {listed}{' and more' if len(missing) > 10 else ''}. "
            f"Download the rest."
        )
    return tuple(shards[number] for number in sorted(shards))


def _refuse_other_classes(folder: Path, data_set: DataSet) -> None:
    """Check classes.txt, in which Zhang et al.'s archives list the labels in order."""
    path = folder / "classes.txt"
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start + 1}). Copy it again.") from error
    names = [line.strip() for line in lines if line.strip()]
    if [data_set.label_named(name) for name in names] != list(data_set.labels):
        raise DataError(
            f"{path} names the labels {', '.join(names[:10]) or 'nothing'}; those of "
            f"{data_set.title} are {', '.join(data_set.labels)}. "
            f"Is it the folder of another data set?"
        )


def missing_split(folder: Path, data_set: DataSet, split: str) -> DataError:
    """Return the error for a folder that lacks a required split."""
    stem = data_set.stems[split][0]
    return DataError(
        f"{folder} holds no {split} rows of {data_set.title}: found {list_folder(folder)}. "
        f"Expected {stem}.csv, {stem}.jsonl (both also .gz), {stem}.parquet, "
        f"{stem}-00000-of-00001.parquet and the like, or folders {stem}/{data_set.labels[0]} and "
        f"so on with one text per file. Get them from {data_set.address}, or name the file: "
        f"{_OPTIONS[split]} FILE"
    )
