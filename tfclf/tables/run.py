"""Scoring files: read, classify, write a part, count it; and go on after a kill."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from tfclf._version import __version__, package_versions
from tfclf.classifier import LOOK_AHEAD, Classifier
from tfclf.data.layout import Layout
from tfclf.errors import DataError, InputError
from tfclf.files import write_file
from tfclf.loader import load
from tfclf.progress import progress_bar
from tfclf.tables.added import Added, Names, choose_added
from tfclf.tables.formats import join_parts, write_part
from tfclf.tables.job import Job, drop_record, open_job, remove_empty, remove_job
from tfclf.tables.output import Output, Shard, check_input, check_output, plan_output
from tfclf.tables.read import Table, open_files
from tfclf.tables.scoring import Options, Scored, score_chunks

if TYPE_CHECKING:
    from tfclf.tables.chunks import Chunk

PART_ROWS = 10_000
_BLOCK = 1_000  # rows that a shard takes in turn
# Larger inputs are not read once more only to count their rows for the progress bar.
_LARGEST_COUNTED = 2**30


@dataclass(frozen=True)
class Summary:
    """What a job did.

    Attributes:
      rows: rows in the output.
      failed: rows that got no prediction; they were skipped, or are null.
      resumed: rows of the output that an earlier run of the same job had written.
      output: the file or folder.
      failures: the file that names each row that failed; None without any.
    """

    rows: int
    failed: int
    resumed: int
    output: Path
    failures: Path | None


def score_files(
    model: Classifier | str | Path,
    source: str | Path,
    output: str | Path,
    *,
    layout: Layout | None = None,
    columns: Sequence[str] | None = None,
    names: Names | None = None,
    options: Options | None = None,
    suffix: str | None = None,
    part_rows: int = PART_ROWS,
    shard: Shard | None = None,
    resume: bool = True,
    overwrite: bool = False,
    xla: bool | None = None,
    progress: bool = False,
) -> Summary:
    """Classify the rows of files, and write them with the predictions beside their columns.

    Memory does not grow with the rows. Each part of the output is written whole, so after a kill
    the same call goes on where it stopped, and its output is that of a call that was not killed.

        tfclf.score_files(clf, "rows.parquet", "scored.parquet")

    Args:
      model: a classifier, or anything that `load` takes.
      source: a file, a folder or a glob pattern: .csv, .tsv, .jsonl, .ndjson, .json (all also .gz)
        or .parquet.
      output: a name that ends in .csv, .tsv, .jsonl (all also .gz) or .parquet is a file; any other
        one a folder of part files.
      layout: which columns are the text, as far as the files do not show it.
      columns: the columns to keep; by default all.
      names: of the added columns: label, score, one probability per label, truncated.
      options: long, stride, batch_size, on_error, and the rule of ranks and thresholds.
      suffix: the format of the parts in a folder; by default .parquet.
      part_rows: rows in a part. A kill loses at most the rows of one part.
      shard: the share of the rows that this job takes, if several jobs share them.
      resume: whether to go on with a job that was killed; if not, it begins anew.
      overwrite: whether to replace an output that is complete.
      xla: as in `load`; for a model that is not loaded yet.
      progress: show a progress bar on standard error.
    Raises: DataError for rows that cannot be read or written; InputError for options that do not
      fit one another, the input or the job that was killed; the errors of `load`.
    """
    options = options or Options()
    place = plan_output(output, suffix=suffix, shard=shard)
    layout = layout or Layout()
    table = open_files(source, layout)
    check_input(place, source, table.files, has_failures=options.on_error != "fail")
    check_output(place, resume=resume, overwrite=overwrite)
    keep = None if columns is None else _check_columns(columns, table, source)
    if not isinstance(part_rows, int) or part_rows < 1:
        raise InputError(f"part_rows is {part_rows!r}; expected a whole number above 0.")
    classifier = model if isinstance(model, Classifier) else load(model, xla=xla)
    classifier.bind_rule(options.rule)  # before a row is read
    added = choose_added(
        names or Names(),
        table.columns if keep is None else keep,
        labels=classifier.manifest.probability_labels,
        has_windows=options.long == "windows",
        decided=() if options.rule is None else options.rule.columns,
        place=str(source),
        advice="Give the added columns other names: prefix='predicted_' (--prefix predicted_), or "
        "one of them (--rename); or leave the column of the input out (--columns).",
    )
    request = {
        "input": list(map(_describe_file, table.files)),
        "model": classifier.fingerprint,
        "text": table.read_columns,
        "keep": None if keep is None else list(keep),
        "added": dict(added.columns),
        # The number of streams does not matter. But a single one may use all cores for a batch, and
        # then sums in another order.
        "options": json.loads(
            json.dumps(asdict(replace(options, streams=min(options.streams, 2))))
        ),
        "format": place.suffix,
        "part_rows": part_rows,
        "shard": None if shard is None else str(shard),
        "layout": json.loads(json.dumps(asdict(layout))),
        "versions": {"tfclf": __version__, **package_versions("tensorflow", "pyarrow")},
    }
    with _lock(place):
        # Again: another job may have ended while the model was loaded.
        check_output(place, resume=resume, overwrite=overwrite)
        replace_folder = overwrite and place.is_folder
        job = open_job(place.folder, request, resume=resume, replace=replace_folder)
        _check_parts(place, job)
        resumed = sum(job.rows)
        if not job.complete:
            work = _Work(classifier, table, place, job, keep, added, options, part_rows, shard)
            work.run(progress=progress)
        failures = _finish(place, job)
    return Summary(sum(job.rows), sum(job.failed), resumed, place.path, failures)


@dataclass(frozen=True)
class _Work:
    classifier: Classifier
    table: Table
    place: Output
    job: Job
    keep: Sequence[str] | None
    added: Added
    options: Options
    part_rows: int
    shard: Shard | None

    def run(self, *, progress: bool) -> None:
        """Write the parts that are not done."""
        done = len(self.job.rows)
        total = _count_rows(self.table, self.shard) if progress and sys.stderr.isatty() else None
        chunks: Iterable[Chunk] = self.table.read()
        if self.shard is not None:
            chunks = _deal(chunks, self.shard)
        with progress_bar(total=total, unit="rows", done=sum(self.job.read)) as advance:
            parts = enumerate(_cut(chunks, self.part_rows))
            for number, part in itertools.islice(parts, done, None):
                self._write(number, part, advance if progress else lambda rows: None)  # noqa: ARG005
        if not any(self.job.rows):
            # A shard without rows, or no row with a text: the columns are written all the same.
            none = next(iter(self.table.read())).take(0, 0)
            self._write_part(0, self._score([none], lambda rows: None))  # noqa: ARG005
        self._check_input()
        self.job.complete = True
        self.job.save()

    def _check_input(self) -> None:
        """Check that the files are those that the job began with. Raises: DataError."""
        for file, before in zip(self.table.files, self.job.request["input"], strict=True):
            if not file.exists() or _describe_file(file) != before:
                raise DataError(
                    f"{file} changed while it was read, so the rows may be of two states of it. "
                    f"Give --no-resume to begin anew, once nothing writes to it."
                )

    def _write(self, number: int, part: Sequence[Chunk], advance: Callable[[int], None]) -> None:
        scored = self._score(part, advance)
        if scored.failures:
            with write_file(self.place.failures(number)) as beside:
                lines = (json.dumps(asdict(failure)) + "\n" for failure in scored.failures)
                beside.write_text("".join(lines), encoding="utf-8")
        rows = sum(map(len, scored.chunks))
        if rows:
            self._write_part(number, scored)
        self.job.count_part(rows=rows, failed=len(scored.failures), read=sum(map(len, part)))

    def _score(self, part: Sequence[Chunk], advance: Callable[[int], None]) -> Scored:
        return score_chunks(
            self.classifier,
            part,
            self.table,
            self.options,
            look_ahead=LOOK_AHEAD * self.options.batch_size,
            count=advance,
        )

    def _write_part(self, number: int, scored: Scored) -> None:
        write_part(
            self.place.part(number),
            scored.chunks,
            self.keep,
            self.added.arrange(scored.predicted),
            types=self.added.types,
            # The parts of one file are joined byte by byte.
            header=self.place.is_folder or not any(self.job.rows),
            like=self._first_part(number),
        )

    def _first_part(self, number: int) -> Path | None:
        numbers = (earlier for earlier in range(number) if self.job.rows[earlier])
        return next(map(self.place.part, numbers), None)


def _check_columns(columns: Sequence[str], table: Table, source: str | Path) -> Sequence[str]:
    for name in columns:
        if name not in table.columns:
            raise InputError(
                f"{source} has no column {name!r} to keep: found {', '.join(table.columns)}. "
                f"Correct --columns."
            )
    return list(dict.fromkeys(columns))


def _check_parts(place: Output, job: Job) -> None:
    """Check that the parts that a job has counted are there. Raises: DataError."""
    for number, rows in enumerate(job.rows):
        if rows and not place.part(number).is_file():
            raise DataError(
                f"{place.part(number)} is missing, with {rows:,} rows that the job has counted as "
                f"done. Put it back, or give --no-resume to begin anew."
            )


def _describe_file(file: Path) -> list[Any]:
    """Return a file's path, size and time of change, as JSON can hold them."""
    path = os.fsencode(file).decode("utf-8", "backslashreplace")  # a name may be no UTF-8
    return [path, file.stat().st_size, file.stat().st_mtime_ns]


@contextmanager
def _lock(place: Output) -> Iterator[None]:
    """Keep other processes from the output; and say what stays there if it cannot be written."""
    held = place.folder / ".lock"
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(held, blocking=False):
            try:
                yield
            finally:
                held.unlink(missing_ok=True)
                remove_empty(place.folder)
    except Timeout:
        raise DataError(
            f"{place.path} is being written by another process. Wait for it, or give another "
            f"--output; jobs that share the rows of one input take --shard I/N."
        ) from None
    except OSError as error:
        raise DataError(
            f"{error.filename or place.folder} cannot be written: {error.strerror or error}. The "
            f"parts that are done stay in {place.folder}. Mend that, and give the same command "
            f"again to go on."
        ) from error


def _count_rows(table: Table, shard: Shard | None) -> int | None:
    rows = table.count()
    if rows is None:
        if sum(file.stat().st_size for file in table.files) > _LARGEST_COUNTED:
            return None
        rows = sum(map(len, table.read()))
    return rows if shard is None else rows // shard.count


def _deal(chunks: Iterable[Chunk], shard: Shard) -> Iterator[Chunk]:
    """Yield the shard's blocks of rows."""
    for number, block in enumerate(_cut(chunks, _BLOCK)):
        if number % shard.count == shard.number - 1:
            yield from block


def _cut(chunks: Iterable[Chunk], rows: int) -> Iterator[list[Chunk]]:
    """Cut the rows into parts of `rows` each, the last one shorter."""
    part: list[Chunk] = []
    room = rows
    for chunk in chunks:
        start = 0
        while len(chunk) - start >= room:
            yield [*part, chunk.take(start, start + room)]
            start, part, room = start + room, [], rows
        if start < len(chunk):
            part.append(chunk.take(start, len(chunk)))
            room -= len(chunk) - start
    if part:
        yield part


def _finish(place: Output, job: Job) -> Path | None:
    """Put a single file in its place, collect the failures, and return their file."""
    numbers = range(len(job.rows))
    failures = [place.failures(number) for number in numbers if job.failed[number]]
    if failures:
        join_parts([file for file in failures if file.exists()], place.all_failures)
    else:
        place.all_failures.unlink(missing_ok=True)  # of an output that this one replaced
    if not place.is_folder:
        parts = [place.part(number) for number in numbers if job.rows[number]]
        join_parts(parts or [place.part(0)], place.path)
        drop_record(place.folder)
        remove_job(place.folder)
    return place.all_failures if failures else None
