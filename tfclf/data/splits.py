"""A data set's splits in a folder: which files hold the training rows, which the test rows, and what they say."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tfclf.data.class_folders import class_folder_rows, class_folders
from tfclf.data.data_sets import DataSet
from tfclf.data.labels import first_places, label_meaning, refuse_name
from tfclf.data.layout import Layout, Row, rows_with_places
from tfclf.data.records import SUFFIXES
from tfclf.errors import DataError
from tfclf.files import list_folder

# As `datasets` writes them; older uploads have a hash behind the count.
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.parquet")
# Of the command line: how to say where a split is.
_OPTIONS = {"train": "--train-file", "test": "--test"}


@dataclass(frozen=True)
class SplitFiles:
    """Where a split's rows are.

    Attributes:
      files: of rows, in order; empty where the split is in class folders.
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
        """The same without where they are: "train.csv", "train/neg"."""
        return [path.name for path in self.files] or [
            "/".join(path.parts[-2:]) for path in self.folders.values()
        ]


def find_split(folder: str | Path, data_set: DataSet, split: str) -> SplitFiles | None:
    """The files of a split ("train", "test") in a folder as the data set's publishers lay it out.

    >>> find_split("ag_news", find_data_set("ag_news"), "test").files
    (PosixPath('ag_news/test.csv'),)

    Known layouts: one file (.csv, .jsonl, both also .gz, .parquet), Parquet shards, and class folders (aclImdb);
    in the folder itself or in one of the data set's subfolders.

    Returns: None where the folder holds no such split.
    Raises: DataError where there is more than one, where a part of it is missing, or where the folder is of another
      data set.
    """
    folder = Path(folder)
    if not folder.is_dir():
        there_is = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"{folder} {there_is}. Expected the folder of {data_set.title}: {data_set.address}"
        )
    try:
        _refuse_other_classes(folder, data_set)
        for stem in data_set.stems[split]:
            for place in (folder, *(folder / name for name in data_set.subfolders)):
                found = _candidates(place, stem, data_set)
                if len(found) > 1:
                    names = " and ".join(", ".join(one.names[:3]) for one in found)
                    raise DataError(
                        f"{place} holds the {split} rows of {data_set.title} more than once: {names}. Expected one of "
                        f"them; say which with {_OPTIONS[split]}, or move the rest away."
                    )
                if found:
                    return found[0]
    except OSError as error:
        raise DataError(
            f"{error.filename or folder} cannot be read: {error.strerror or error}."
        ) from error
    return None


def split_of(files: Sequence[str | Path], data_set: DataSet) -> SplitFiles:
    """Files of the data set that no name tells from others. Raises: DataError for what is no file of rows."""
    paths = tuple(Path(file) for file in files)
    for path in paths:
        if not path.is_file():
            there_is = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(
                f"{path} {there_is}. Expected a file of rows of {data_set.title}: {', '.join(SUFFIXES)}."
            )
    return SplitFiles(data_set, files=paths)


def split_rows(split: SplitFiles, layout: Layout | None = None) -> Iterator[Row]:
    """The rows of a split, each with one of the data set's labels. Reads files twice: what labels mean comes first.

    Raises: DataError, which names the file and the line; MissingExtraError.
    """
    if split.folders:
        yield from class_folder_rows(split.folders)
        return
    layout = layout or Layout()
    meaning = _meaning(split, layout)
    for path in split.files:
        for _, row in rows_with_places(path, layout):
            yield replace(row, label=meaning[row.label or ""])


def _meaning(split: SplitFiles, layout: Layout) -> Mapping[str, str]:
    """Of all files together: a shard may hold but one label, and so not say where its numbers start."""
    data_set = split.data_set
    places: dict[str, str] = {}
    where = split.files[0] if len(split.files) == 1 else split.files[0].parent
    for path in split.files:
        for written, place in first_places(path, layout).items():
            places.setdefault(written, place if path == where else f"{path.name}, {place}")
    named = {written: data_set.label_named(written) for written in places}
    whose = f"{data_set.title}'s"
    if layout.label_base is None and any(named.values()):
        if strange := {written: place for written, place in places.items() if not named[written]}:
            refuse_name(strange, data_set.labels, where, whose)
        return {written: label for written, label in named.items() if label}
    return label_meaning(
        places,
        data_set.labels,
        where,
        label_base=layout.label_base,
        usual_base=data_set.first_number(split.files[0]),
        whose=whose,
    )


def _candidates(folder: Path, stem: str, data_set: DataSet) -> list[SplitFiles]:
    single = [folder / f"{stem}{suffix}" for suffix in SUFFIXES]
    splits = [SplitFiles(data_set, files=(path,)) for path in single if path.is_file()]
    if shards := _shards(folder, stem):
        splits.append(SplitFiles(data_set, files=shards))
    if (folder / stem).is_dir():
        if by_label := class_folders(folder / stem, data_set):
            splits.append(SplitFiles(data_set, folders=by_label))
        # The hub's own conversions: train/0000.parquet and so on.
        elif numbered := tuple(sorted((folder / stem).glob("*.parquet"))):
            splits.append(SplitFiles(data_set, files=numbered))
    return splits


def _shards(folder: Path, stem: str) -> tuple[Path, ...]:
    found: dict[int, Path] = {}
    counts = set()
    for path in sorted(folder.glob(f"{stem}-*.parquet")):
        if match := _SHARD.fullmatch(path.name.removeprefix(stem)):
            counts.add(int(match[2]))
            if int(match[1]) in found:
                raise DataError(
                    f"{folder} holds shard {int(match[1])} twice: {found[int(match[1])].name} and {path.name}. "
                    f"Expected each once; move the older ones away."
                )
            found[int(match[1])] = path
    if not found:
        return ()
    if len(counts) > 1:
        raise DataError(
            f"{folder} holds shards of {' and of '.join(str(count) for count in sorted(counts))} files that begin "
            f"with {stem}-. Expected those of one upload; move the others away."
        )
    missing = sorted(set(range(counts.pop())) - set(found))
    if missing:
        shown = ", ".join(f"{number:05d}" for number in missing[:10])
        raise DataError(
            f"{folder} holds {len(found)} of the {len(found) + len(missing)} shards of {stem}-*.parquet; missing: "
            f"{shown}{' and more' if len(missing) > 10 else ''}. Download the rest."
        )
    return tuple(found[number] for number in sorted(found))


def _refuse_other_classes(folder: Path, data_set: DataSet) -> None:
    """classes.txt, which the archives of Zhang et al. have, names the labels in the order of their numbers."""
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
            f"{path} names the labels {', '.join(names[:10]) or 'nothing'}; those of {data_set.title} are "
            f"{', '.join(data_set.labels)}. Is it the folder of another data set?"
        )


def no_split(folder: Path, data_set: DataSet, split: str) -> DataError:
    """What to say where a split must be there and is not."""
    stem = data_set.stems[split][0]
    expected = f"{stem}.csv, {stem}.jsonl (both also .gz), {stem}.parquet, {stem}-00000-of-00001.parquet and the like"
    return DataError(
        f"{folder} holds no {split} rows of {data_set.title}: found {list_folder(folder)}. Expected {expected}, or "
        f"folders {stem}/{data_set.labels[0]} and so on with a text a file. Get them from {data_set.address}, or name "
        f"the file: {_OPTIONS[split]} FILE"
    )
