"""Cells that are kept: no value is changed, cut or replaced on the way to the output."""

import csv
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

import tfclf
from tests.tables.rows import read_rows, write_rows
from tfclf.errors import DataError
from tfclf.tables import Names, score_files


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_carriage_return_in_a_cell_ends_no_row(
    classifier: tfclf.Classifier, tmp_path: Path, suffix: str
) -> None:
    texts = ["a\rb", "c\r\nd", "e\nf", "g"]
    rows = write_rows(tmp_path / "rows.jsonl", [{"text": text} for text in texts])
    score_files(classifier, rows, tmp_path / f"scored{suffix}")
    with (tmp_path / f"scored{suffix}").open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file, delimiter="," if suffix == ".csv" else "\t", strict=True))
    assert [line[0] for line in lines] == ["text", *texts]


def test_rows_of_csv_end_in_a_line_feed_alone(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    score_files(classifier, write_rows(tmp_path / "rows.jsonl"), tmp_path / "scored.csv")
    assert b"\r" not in (tmp_path / "scored.csv").read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_column_of_a_later_row_is_not_replaced_by_an_added_one(
    classifier: tfclf.Classifier, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"text": "b", "label": "mine"}\n')
    with pytest.raises(DataError, match=r"a row has a column 'label'.*--prefix"):
        score_files(classifier, tmp_path / "rows.jsonl", tmp_path / f"scored{suffix}")


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        (1, 2.5),
        ({"a": 1}, {"a": 2.5}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
    ],
)
def test_a_value_of_a_later_part_is_not_cut_to_the_type_of_the_column(
    classifier: tfclf.Classifier, tmp_path: Path, usual: Any, other: Any
) -> None:
    rows: list[dict[str, Any]] = [{"text": "a", "extra": usual}] * 2
    write_rows(tmp_path / "rows.jsonl", [*rows, {"text": "a", "extra": other}])
    with pytest.raises(DataError, match=r"line 3: extra is .*does not fit.*ends in \.jsonl"):
        score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.parquet", part_rows=2)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3.0],
        [0.5, 0.5, 3],
        [float("inf"), 0.5, 1.0],
        [{"a": 1, "b": 2}, {"a": 1}, {"b": None}],
        [["a"], [], None],
    ],
)
def test_values_that_a_column_holds_come_back(
    classifier: tfclf.Classifier, tmp_path: Path, values: list[Any]
) -> None:
    rows = [{"text": "a", "extra": value} for value in values]
    write_rows(tmp_path / "rows.jsonl", rows)
    score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.parquet", part_rows=2)
    found = [row["extra"] for row in read_rows(tmp_path / "scored.parquet")]
    named = [value for value in values if isinstance(value, dict)]
    whole = [{"a": None, "b": None, **value} for value in named]
    assert found == (whole or values)


def test_a_value_that_no_parquet_file_holds_names_another_format(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"text": "a", "extra": {}}])
    with pytest.raises(DataError, match=r"Parquet file cannot hold.*ends in \.jsonl"):
        score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.parquet")


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (pyarrow.array([None]), pyarrow.array(["b"]), [None, "b"]),
        (pyarrow.array([1]), pyarrow.array([2.5]), [1.0, 2.5]),
        (pyarrow.array([1], "int32"), pyarrow.array([2**40]), [1, 2**40]),
        (
            pyarrow.array([{"a": 1}]),
            pyarrow.array([{"a": 1, "b": 2}]),
            [{"a": 1, "b": None}, {"a": 1, "b": 2}],
        ),
    ],
)
def test_parquet_files_of_one_folder_share_the_wider_type(
    classifier: tfclf.Classifier,
    tmp_path: Path,
    first: pyarrow.Array,
    second: pyarrow.Array,
    kept: list[Any],
) -> None:
    (tmp_path / "rows").mkdir()
    for name, cells in (("a", first), ("b", second)):
        table = pyarrow.table({"text": ["goal"], "extra": cells})
        parquet.write_table(table, tmp_path / "rows" / f"{name}.parquet")
    score_files(classifier, tmp_path / "rows", tmp_path / "scored.parquet")
    assert [row["extra"] for row in read_rows(tmp_path / "scored.parquet")] == kept


def test_a_column_of_a_later_parquet_file_is_kept(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    write_rows(tmp_path / "a.parquet", [{"text": "a"}])
    write_rows(tmp_path / "b.parquet", [{"text": "b", "id": 7}])
    score_files(
        classifier,
        tmp_path / "[ab].parquet",
        tmp_path / "scored.jsonl",
        names=Names(probabilities="none"),
    )
    assert [row["id"] for row in read_rows(tmp_path / "scored.jsonl")] == [None, 7]


def test_parquet_files_whose_types_differ_are_named(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    write_rows(tmp_path / "a.parquet", [{"text": "a", "id": 7}])
    write_rows(tmp_path / "b.parquet", [{"text": "b", "id": "x"}])
    with pytest.raises(DataError, match=r"b\.parquet and .*a\.parquet have columns of one name"):
        score_files(classifier, tmp_path / "[ab].parquet", tmp_path / "scored.jsonl")


def test_files_without_rows_are_passed_over(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    for name, content in (("a", ""), ("b", "id,text\n"), ("c", "id,text\n1,a\n"), ("d", "")):
        (tmp_path / f"{name}.csv").write_text(content)
    summary = score_files(classifier, tmp_path / "[a-d].csv", tmp_path / "scored.jsonl")
    assert (summary.rows, read_rows(summary.output)[0]["id"]) == (1, "1")


def test_files_of_other_columns_are_refused_before_a_row_is_scored(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [{"id": 1, "text": "a"}])
    write_rows(tmp_path / "b.csv", [{"text": "b", "id": 2}])
    with pytest.raises(DataError, match=r"b\.csv has the columns text, id; expected id, text"):
        score_files("no such model", tmp_path / "[ab].csv", tmp_path / "scored.csv")


def test_a_nan_of_parquet_is_null_in_json(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a", "b"], "price": [float("nan"), 1.5]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    score_files(classifier, tmp_path / "rows.parquet", tmp_path / "scored.jsonl")
    assert [row["price"] for row in read_rows(tmp_path / "scored.jsonl")] == [None, 1.5]


def test_a_date_that_python_lacks_names_another_format(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    table = pyarrow.table({"text": ["a"], "far": pyarrow.array([2**62], "timestamp[us]")})
    parquet.write_table(table, tmp_path / "rows.parquet")
    score_files(classifier, tmp_path / "rows.parquet", tmp_path / "scored.parquet")
    with pytest.raises(DataError, match=r"row 1 on hold a time.*ends in \.parquet"):
        score_files(classifier, tmp_path / "rows.parquet", tmp_path / "scored.csv")
