"""Texts from arguments, files and standard input."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from tfclf.cli.text_source import count_rows, texts_from
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


def test_the_rows_of_a_file_are_counted(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('text\n"two\nlines"\none\n')
    assert count_rows(tmp_path / "rows.csv", Layout()) == 2
