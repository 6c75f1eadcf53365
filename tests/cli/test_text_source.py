"""Texts from arguments, files and standard input."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from tfclf.cli.text_source import count_rows, pairs_from, texts_from
from tfclf.data import Layout
from tfclf.errors import DataError, InputError


def give_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


@pytest.mark.parametrize("name", ["rows.txt", "ROWS.TXT", "rows.txt.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_file_is_read_whatever_its_mark_and_its_case(
    tmp_path: Path, name: str, encoding: str
) -> None:
    content = "Late goal\r\n\r\ncafé\n".encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(texts_from((), tmp_path / name, Layout())) == ["Late goal", "", "café"]


@pytest.mark.parametrize("file", [None, Path("-"), Path("/dev/stdin")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_standard_input_is_read_without_its_mark(
    monkeypatch: pytest.MonkeyPatch, file: Path | None, encoding: str
) -> None:
    give_stdin(monkeypatch, "Late goal\ncafé".encode(encoding))
    assert list(texts_from((), file, Layout())) == ["Late goal", "café"]


@pytest.mark.parametrize(
    ("stated", "content"),
    [
        ("csv", b"id,text\n1,Late goal\n"),
        ("csv", "id;text\n1;Late goal\n".encode("utf-16")),
        ("tsv", b"id\ttext\n1\tLate goal\n"),
        ("jsonl", b'{"text": "Late goal"}\n'),
        ("json", b'[{"text": "Late goal"}]'),
        ("txt", b"Late goal\n"),
    ],
)
@pytest.mark.parametrize("file", [None, Path("-"), Path("/dev/stdin")])
def test_standard_input_has_rows_if_its_format_is_stated(
    monkeypatch: pytest.MonkeyPatch, file: Path | None, stated: str, content: bytes
) -> None:
    give_stdin(monkeypatch, content)
    assert list(texts_from((), file, Layout(format=stated))) == ["Late goal"]


def test_pairs_come_from_standard_input_if_its_format_is_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give_stdin(monkeypatch, b"text,other\nLate goal,Who won?\n")
    rows = pairs_from((), (), None, Layout(pair="other", format="csv"))
    assert list(rows) == [("Late goal", "Who won?")]


def test_an_error_on_standard_input_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, b"id,title\n1,goal\n")
    with pytest.raises(DataError, match=r"^standard input: no column is named for the text"):
        texts_from((), None, Layout(format="csv"))


def test_parquet_on_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, b"PAR1")
    with pytest.raises(DataError, match="standard input cannot be Parquet"):
        texts_from((), None, Layout(format="parquet"))


def test_a_format_of_texts_given_as_arguments_is_refused() -> None:
    with pytest.raises(InputError, match="--format and texts are given"):
        texts_from(["Late goal"], None, Layout(format="csv"))


def test_a_file_of_another_suffix_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "rows.log").write_text("Late goal\n")
    assert list(texts_from((), tmp_path / "rows.log", Layout(format="txt"))) == ["Late goal"]


def test_a_file_whose_lines_end_in_carriage_returns_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "mac.txt").write_bytes(b"Oil prices rise\rTeam wins cup\r")
    with pytest.raises(DataError, match=r"carriage returns and no line feed.*tr '\\r' '\\n'"):
        list(texts_from([], tmp_path / "mac.txt", Layout()))


def test_a_carriage_return_within_a_line_belongs_to_its_text(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_bytes(b"50 %\r100 %\r\nTeam wins cup\r\n")
    texts = texts_from([], tmp_path / "texts.txt", Layout())
    assert list(texts) == ["50 %\r100 %", "Team wins cup"]


def test_a_file_that_holds_a_mark_alone_has_no_text(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_bytes(b"\xef\xbb\xbf")
    assert list(texts_from((), tmp_path / "rows.txt", Layout())) == []


def test_an_error_in_the_first_row_comes_at_once(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,title\n1,goal\n")
    with pytest.raises(DataError, match="'id', 'title'"):
        texts_from((), tmp_path / "rows.csv", Layout())


@pytest.mark.parametrize(
    "layout", [Layout(text=("a",)), Layout(header=True), Layout(delimiter=";")]
)
def test_columns_of_standard_input_are_refused(
    monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    give_stdin(monkeypatch, b"a,b\n")
    with pytest.raises(InputError, match="standard input has one text per line and no columns"):
        texts_from((), None, layout)


@pytest.mark.parametrize("file", [Path("-"), Path("/dev/stdin")])
def test_standard_input_is_not_read_to_count_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    give_stdin(monkeypatch, b"Late goal\n")
    monkeypatch.setattr(Path, "is_file", lambda _: True)  # as /dev/stdin is behind `< rows.txt`
    assert count_rows(file, Layout()) is None
    assert list(texts_from((), file, Layout())) == ["Late goal"]


def test_the_rows_of_a_file_are_counted(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('text\n"two\nlines"\none\n')
    assert count_rows(tmp_path / "rows.csv", Layout()) == 2
