"""Rows with any number of labels each."""

import json
import os
from pathlib import Path

import pytest

from tests.data.test_layout import parquet
from tfclf.data import Layout, labelled_rows
from tfclf.data.label_sets import multi_labelled_rows
from tfclf.errors import DataError

LABELS = ("toxic", "insult", "threat")
EXPECTED = [("a fool", ("toxic", "insult")), ("nice day", ())]


def read(path: Path, layout: Layout | None = None) -> list[tuple[str, tuple[str, ...] | None]]:
    return [(row.text, row.labels) for row in multi_labelled_rows(path, LABELS, layout)]


def test_each_label_may_be_a_column_of_0_and_1(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,comment,threat,toxic,insult\n1,a fool,0,1,1.0\n2,nice day,0,0,false\n")
    assert read(path, Layout(text=("comment",))) == EXPECTED


@pytest.mark.parametrize("column", ["label", "labels"])
def test_a_column_may_hold_lists_of_labels(tmp_path: Path, column: str) -> None:
    path = tmp_path / "rows.json"
    rows = [{"text": "a fool", column: ["insult", "toxic"]}, {"text": "nice day", column: []}]
    path.write_text(json.dumps(rows))
    assert read(path) == EXPECTED


@pytest.mark.parametrize("cell", ['"[""toxic"", ""insult""]"', "\"['toxic', 'insult']\""])
def test_a_csv_cell_may_hold_a_list_as_json_or_as_pandas_writes_it(
    tmp_path: Path, cell: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"text,label\na fool,{cell}\nnice day,[]\n")
    assert read(path) == EXPECTED


def test_a_parquet_column_may_hold_lists_of_numbers(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", text=["a fool", "nice day"], label=[[0, 1], []])
    assert read(path) == EXPECTED


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a", "label": "toxic"}], "model is multi-label. Expected a list"),
        ([{"text": "a", "label": ["rude"]}], "label 'rude' is none of the model's"),
        ([{"text": "a", "label": [1]}], "--label-base 0 or --label-base 1"),
        ([{"text": "a", "label": [1, 0, 0]}], "numbers of labels, or a flag for each label"),
        ([{"text": "a", "label": [1.0, 0.0, 0.0]}], "write a column for each label"),
        ([{"text": "a", "label": ["toxic", "toxic"]}], "names a label twice"),
        ([{"text": "a", "toxic": 1, "insult": 0}], "none for threat"),
        ([{"text": "a", "toxic": 1, "insult": 0, "threat": 0.5}], "threat is 0.5; expected 0 or 1"),
        ([{"text": "a"}], "expected a column of 0 and 1 for each of toxic, insult, threat"),
    ],
)
def test_other_rows_are_refused(tmp_path: Path, rows: list[object], message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError, match=message):
        read(path)


def test_a_pipe_is_not_read_twice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    for read_labels in (multi_labelled_rows, labelled_rows):
        with pytest.raises(DataError, match="is a pipe or a device, which can be read once"):
            next(read_labels(tmp_path / "rows.csv", LABELS))
