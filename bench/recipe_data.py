"""The real data sets as folders, in the layouts of their publishers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.material import SHARED
from tfclf.data import Row, find_data_set, find_split, split_rows

_SHARDS = 2
_IMDB_TRAIN, _IMDB_TEST = 8_000, 4_000
_ALLOCINE_TRAIN, _ALLOCINE_TEST = 4_000, 2_000


@dataclass(frozen=True)
class Folder:
    """The place of a data set.

    Attributes:
      options: of `tfclf train`, to find its files.
      test_file: the same test rows as one file, for commands that take a file.
    """

    path: Path
    description: str
    test_file: Path
    options: tuple[str, ...] = ()


def ag_news_csv(_: Path) -> Folder:
    """Lay out AG News as it is shared: a part of the training rows, and the official test split."""
    path = SHARED / "data" / "ag_news"
    return Folder(path, "AG News: train_subset.csv, official test.csv", path / "test.csv")


def ag_news_parquet(folder: Path) -> Folder:
    """Lay out the same rows as on the hub: Parquet shards, labels from 0."""
    for split, shards in (("train", _SHARDS), ("test", 1)):
        rows = list(_rows("ag_news", split))
        size = -(-len(rows) // shards)
        for number in range(shards):
            path = folder / "data" / f"{split}-{number:05d}-of-{shards:05d}.parquet"
            _write_parquet(path, rows[number * size : (number + 1) * size])
    return Folder(
        folder,
        f"AG News: {_SHARDS} Parquet shards",
        folder / "data" / "test-00000-of-00001.parquet",
    )


def imdb_folders(folder: Path) -> Folder:
    """Lay out some reviews of each split as in the aclImdb archive, with an unused unsup folder."""
    home = folder / "aclImdb"
    for split, count in (("train", _IMDB_TRAIN), ("test", _IMDB_TEST)):
        rows = list(_rows("imdb", split))
        for label in find_data_set("imdb").labels:
            texts = [row.text for row in rows if row.label == label]
            # Evenly spaced, because reviews of one film stand together.
            _write_texts(home / split / label, texts[:: 2 * len(texts) // count])
    _write_texts(home / "train" / "unsup", ["not to be read"])
    test = find_split(home, find_data_set("imdb"), "test")
    lines = (
        [json.dumps({"text": row.text, "label": row.label}) for row in split_rows(test)]
        if test
        else []
    )
    (folder / "test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Folder(home, "IMDB: part of it, as an aclImdb folder", folder / "test.jsonl")


def allocine_parquet(folder: Path) -> Folder:
    """Lay out a part of the shared rows in the same files; none of them is called train."""
    from pyarrow import parquet

    folder.mkdir(parents=True)
    for name, count in (("validation.parquet", _ALLOCINE_TRAIN), ("test.parquet", _ALLOCINE_TEST)):
        rows = parquet.read_table(SHARED / "data" / "allocine" / name)
        parquet.write_table(rows.slice(0, count), folder / name)
    options = ("--train-file", "validation.parquet")
    return Folder(
        folder,
        "AlloCiné: part of validation.parquet and test.parquet",
        folder / "test.parquet",
        options,
    )


def _rows(data_set: str, split: str) -> Iterable[Row]:
    found = find_split(SHARED / "data" / data_set, find_data_set(data_set), split)
    if found is None:
        raise SystemExit(f"{SHARED / 'data' / data_set} holds no {split} rows.")
    return split_rows(found)


def _write_texts(folder: Path, texts: Iterable[str]) -> None:
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number}_0.txt").write_text(text, encoding="utf-8", newline="")


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    labels = find_data_set("ag_news").labels
    numbers = [labels.index(row.label or "") for row in rows]
    parquet.write_table(pyarrow.table({"text": [row.text for row in rows], "label": numbers}), path)
