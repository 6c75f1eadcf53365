"""The place of a job's output: one file, or a folder of part files; and its checks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfclf.errors import DataError, InputError
from tfclf.files import nearest_existing
from tfclf.tables.formats import PARQUET, check_format
from tfclf.tables.job import holds_job, remove_job

_OURS = re.compile(r"_?part-[0-9]{5}|_progress\.json|_failed\.jsonl|shard-[0-9]{5}-of-|\.")
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


def check_output(output: Output, files: Sequence[Path], *, resume: bool, overwrite: bool) -> None:
    """Check that the output can be written, and drop what it replaces.

    Args:
      files: the input.
    Raises: InputError, DataError.
    """
    place = output.path.resolve()
    for file in files:
        source = file.resolve()
        if source == place or place in source.parents:
            raise InputError(
                f"{output.path} is the output and {file} is read. Expected two places."
            )
    above = nearest_existing(output.folder)
    if not above.is_dir():
        raise DataError(f"{output.path} cannot be made: {above} is a file. Give another --output.")
    if overwrite and output.is_folder and holds_job(output.folder):
        remove_job(output.folder)
    others = _list_others(output.folder)
    if others:
        raise InputError(
            f"{output.folder} holds {', '.join(others[:5])}, which no job of tfclf wrote. "
            f"Expected an empty folder, or a new one."
        )
    replaces = not output.is_folder and output.path.exists()
    if replaces and not overwrite and not (resume and holds_job(output.folder)):
        raise InputError(
            f"{output.path} is there already. Give another --output, or replace it with "
            f"--overwrite."
        )


def _list_others(folder: Path) -> list[str]:
    """List the files of a folder that no job wrote."""
    if not folder.is_dir():
        return []
    names = sorted(entry.name for entry in folder.iterdir())
    return [name for name in names if not _OURS.match(name)]
