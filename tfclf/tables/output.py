"""The place of a job's output: one file, or a folder of part files; and its checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfclf.errors import DataError, InputError
from tfclf.files import nearest_existing
from tfclf.tables.formats import PARQUET, check_format
from tfclf.tables.job import holds_job, is_file_of_job
from tfclf.tables.read import stands_for

_SHARD = re.compile(r"([0-9]+)/([0-9]+)")


@dataclass(frozen=True)
class Shard:
    """The share of the rows that one of several jobs scores: blocks of rows, dealt out in turn.

    Attributes:
      number: from 1 to `count`.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number:05d}-of-{self.count:05d}"


def parse_shard(written: str) -> Shard:
    """Parse a shard, I/N.

    >>> parse_shard("2/8")
    Shard(number=2, count=8)

    Raises: InputError.
    """
    match = _SHARD.fullmatch(written)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return Shard(int(match[1]), int(match[2]))
    raise InputError(
        f"shard is {written!r}; expected I/N with I from 1 to N: 2/8 is the second of eight."
    )


@dataclass(frozen=True)
class Output:
    """Where the rows go.

    Attributes:
      path: the file, or the folder.
      is_folder: whether the parts stay as they are, in a folder.
      folder: the parts and the record of progress.
      suffix: the format, such as ".csv.gz".
    """

    path: Path
    is_folder: bool
    folder: Path
    suffix: str

    def part(self, number: int) -> Path:
        """Return the path of a part, by its number from 0."""
        return self.folder / f"part-{number:05d}{self.suffix}"

    def failures(self, number: int) -> Path:
        """Return the path of the record of the rows that failed in a part."""
        return self.folder / f"_part-{number:05d}.failed.jsonl"

    @property
    def all_failures(self) -> Path:
        """The record of all rows that failed."""
        if self.is_folder:
            return self.folder / "_failed.jsonl"
        return self.path.with_name(f"{self.path.name}.failed.jsonl")


def plan_output(path: str | Path, *, suffix: str | None, shard: Shard | None) -> Output:
    """Choose the places of a job's files.

    >>> plan_output("scored.csv", suffix=None, shard=Shard(2, 8)).path.name
    'scored-00002-of-00008.csv'
    >>> plan_output("scored", suffix=None, shard=Shard(2, 8)).part(3).as_posix()
    'scored/shard-00002-of-00008/part-00003.parquet'

    Args:
      path: a name with the suffix of a format is a file, any other one a folder.
      suffix: the format of the parts in a folder; by default Parquet.
    Raises: InputError, MissingExtraError.
    """
    path = Path(path)
    is_folder = path.is_dir() or not path.suffix or suffix is not None
    if is_folder:
        name = path.name if path.suffix and suffix is None else f"part{suffix or PARQUET}"
        folder = path / f"shard-{shard}" if shard else path
        return Output(path, True, folder, check_format(Path(name)))
    ending = check_format(path)
    if shard:
        stem = path.name[: len(path.name) - len(ending)]
        path = path.with_name(f"{stem}-{shard}{path.name[len(stem) :]}")
    return Output(path, False, path.with_name(f"{path.name}.parts"), ending)


def check_input(
    output: Output, source: str | Path, files: Sequence[Path], *, has_failures: bool
) -> None:
    """Check that neither the output nor a part of it is one of the files that are read.

    Otherwise a job that goes on, or another shard, would read what was written here.

    Args:
      source: the file, folder or pattern.
      files: the ones that it stands for now.
      has_failures: whether the rows that fail are listed in a file.
    Raises: InputError.
    """
    place = output.path.resolve()
    for file in files:
        read = file.resolve()
        if read == place or place in read.parents:
            raise InputError(
                f"{output.path} is the output and {file} is read. Expected two places."
            )
    written = [output.part(0), *([] if output.is_folder else [output.path])]
    if has_failures:
        written.append(output.all_failures)
    for path in written:
        if stands_for(source, path):
            raise InputError(
                f"{source} is read and stands for {path}, too, which this job writes. Expected "
                f"two places: give --output a name in another folder."
            )


def check_output(output: Output, *, resume: bool, overwrite: bool) -> None:
    """Check that the output can be written, and holds nothing that would be lost or mixed in.

    Raises: InputError, DataError.
    """
    above = nearest_existing(output.folder)
    if not above.is_dir():
        raise DataError(f"{output.path} cannot be made: {above} is a file. Give another --output.")
    _refuse_others(output)
    replaces = not output.is_folder and output.path.exists()
    if replaces and not overwrite and not (resume and holds_job(output.folder)):
        raise InputError(
            f"{output.path} is there already. Give another --output, or replace it with "
            f"--overwrite."
        )


def _refuse_others(output: Output) -> None:
    """Check that a folder of parts holds no other rows: who reads it reads them all."""
    if output.is_folder and output.folder != output.path:
        count = output.folder.name.rpartition("-of-")[2]
        shard = re.compile(rf"shard-[0-9]{{5,}}-of-{count}")
        _refuse_files(output.path, lambda name: shard.fullmatch(name) is not None)
    # The folder of a file's parts is ours by its name; another one, by its record.
    has_record = not output.is_folder or holds_job(output.folder)
    _refuse_files(
        output.folder,
        lambda name: is_file_of_job(name) and (has_record or not name.startswith("part-")),
    )


def _refuse_files(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Check that a folder, if it is there, holds our files alone, and hidden ones."""
    if not folder.is_dir():
        return
    names = sorted(entry.name for entry in folder.iterdir())
    others = [name for name in names if not (name.startswith(".") or is_ours(name))]
    if others:
        raise InputError(
            f"{folder} holds {', '.join(others[:5])}, which no job with these options wrote. "
            f"Expected an empty folder, or a new one."
        )
