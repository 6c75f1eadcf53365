"""The place of an output: nothing is lost there, and no other rows get among its own."""

import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import tfclf
from tests.tables.rows import ROWS, read_rows, write_rows
from tfclf.errors import DataError, InputError, SourceNotFoundError
from tfclf.tables import Options, Shard, run, score_files
from tfclf.tables.read import stands_for


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.csv")


@pytest.fixture
def scored(classifier: tfclf.Classifier, rows: Path, tmp_path: Path) -> Path:
    """A folder with a complete job."""
    return score_files(classifier, rows, tmp_path / "scored", part_rows=20).output


def _list(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_wrong_model_does_not_cost_the_output_that_is_to_be_replaced(
    rows: Path, scored: Path
) -> None:
    before = _list(scored)
    with pytest.raises(SourceNotFoundError):
        score_files("no such model", rows, scored, overwrite=True)
    assert _list(scored) == before


def test_a_second_job_does_not_delete_the_parts_of_one_that_runs(
    classifier: tfclf.Classifier, rows: Path, scored: Path
) -> None:
    before = _list(scored)
    with (
        FileLock(scored / ".lock"),
        pytest.raises(DataError, match="being written by another process"),
    ):
        score_files(classifier, rows, scored, overwrite=True)
    assert [name for name in _list(scored) if name != ".lock"] == before


def test_a_complete_folder_is_replaced(
    classifier: tfclf.Classifier, rows: Path, scored: Path
) -> None:
    summary = score_files(classifier, rows, scored, part_rows=30, overwrite=True)
    assert (summary.resumed, len(list(scored.glob("part-*")))) == (0, 2)


def test_a_job_that_replaces_goes_on_after_a_kill(
    classifier: tfclf.Classifier, rows: Path, scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = run._Work._write

    def write_one(work: Any, number: int, *arguments: Any) -> None:
        if number == 1:
            raise KeyboardInterrupt
        job(work, number, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(run._Work, "_write", write_one)
        with pytest.raises(KeyboardInterrupt):
            score_files(classifier, rows, scored, part_rows=10, overwrite=True)
    summary = score_files(classifier, rows, scored, part_rows=10, overwrite=True)
    assert (summary.resumed, summary.rows) == (10, len(ROWS))


def test_an_output_that_came_while_the_model_was_loaded_stays(
    classifier: tfclf.Classifier, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> tfclf.Classifier:
        (tmp_path / "scored.csv").write_text("another job's")
        return classifier

    monkeypatch.setattr(run, "load", load)
    with pytest.raises(InputError, match="is there already"):
        score_files("a model", rows, tmp_path / "scored.csv")
    assert (tmp_path / "scored.csv").read_text() == "another job's"


@pytest.mark.parametrize("name", ["part-00000-6f1c.snappy.parquet", "part-00000.parquet"])
def test_parts_of_another_program_are_not_taken_for_ours(
    classifier: tfclf.Classifier, rows: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).touch()
    with pytest.raises(InputError, match=f"holds {name}, which no job"):
        score_files(classifier, rows, tmp_path / "out")


@pytest.mark.parametrize(
    ("first", "second"),
    [(None, Shard(1, 2)), (Shard(1, 2), None), (Shard(1, 2), Shard(1, 3))],
    ids=["a-shard-of-a-whole", "a-whole-beside-a-shard", "shards-of-other-counts"],
)
def test_a_folder_does_not_hold_rows_twice(
    classifier: tfclf.Classifier,
    rows: Path,
    tmp_path: Path,
    first: Shard | None,
    second: Shard | None,
) -> None:
    score_files(classifier, rows, tmp_path / "out", shard=first)
    with pytest.raises(InputError, match="which no job with these options wrote"):
        score_files(classifier, rows, tmp_path / "out", shard=second)


def test_shards_share_a_folder(classifier: tfclf.Classifier, rows: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        score_files(classifier, rows, tmp_path / "out", shard=Shard(number, 2))
    assert _list(tmp_path / "out") == ["shard-00001-of-00002", "shard-00002-of-00002"]


def test_a_part_that_was_deleted_is_missed(
    classifier: tfclf.Classifier, rows: Path, scored: Path
) -> None:
    (scored / "part-00001.parquet").unlink()
    with pytest.raises(DataError, match=r"part-00001\.parquet is missing, with 20 rows"):
        score_files(classifier, rows, scored, part_rows=20)


@pytest.mark.parametrize(
    ("source", "output", "shard"),
    [
        ("in", "in/scored.csv", None),
        ("in", "in/out", None),
        ("in/*.csv", "in/scored.csv", Shard(2, 2)),
        ("**/*.csv", "out/scored.csv", None),
    ],
)
def test_an_output_that_the_input_stands_for_is_refused(
    classifier: tfclf.Classifier, tmp_path: Path, source: str, output: str, shard: Shard | None
) -> None:
    write_rows(tmp_path / "in" / "rows.csv")
    with pytest.raises(InputError, match=r"is read and stands for .*two places"):
        score_files(classifier, tmp_path / source, tmp_path / output, shard=shard)
    assert _list(tmp_path) == ["in"]


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("rows/*.csv", "rows/scored.csv", True),
        ("rows/*.csv", "rows/deep/scored.csv", False),
        ("rows/**/*.csv", "rows/deep/scored.csv", True),
        ("rows/*.csv", "rows/scored.parquet", False),
        ("./rows/../rows/*.csv", "rows/scored.csv", True),
        ("rows/[ab].csv", "rows/c.csv", False),
    ],
)
def test_a_pattern_stands_for_the_files_that_glob_would_find(
    source: str, path: str, expected: bool
) -> None:
    assert stands_for(source, Path(path)) is expected


def test_failures_of_an_output_that_was_replaced_go(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    options = Options(on_error="skip")
    for content in ('{"text": null}\n{"text": "a"}\n', '{"text": "a"}\n'):
        (tmp_path / "rows.jsonl").write_text(content)
        score_files(
            classifier,
            tmp_path / "rows.jsonl",
            tmp_path / "scored.csv",
            options=options,
            overwrite=True,
        )
    assert _list(tmp_path) == ["rows.jsonl", "scored.csv"]


def test_a_file_whose_name_is_no_utf8_is_read(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jsonl")
    try:
        write_rows(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    summary = score_files(classifier, tmp_path / name, tmp_path / "scored.jsonl")
    assert len(read_rows(summary.output)) == len(ROWS)


def test_a_file_that_changes_while_it_is_read_is_told(
    classifier: tfclf.Classifier, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = run._Work._write

    def change_and_write(work: Any, *arguments: Any) -> None:
        with rows.open("a", encoding="utf-8") as file:
            file.write("99999,more\n")
        job(work, *arguments)

    monkeypatch.setattr(run._Work, "_write", change_and_write)
    with pytest.raises(DataError, match=r"rows\.csv changed while it was read.*--no-resume"):
        score_files(classifier, rows, tmp_path / "scored.csv")
    assert not (tmp_path / "scored.csv").exists()
