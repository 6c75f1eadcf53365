"""Rows from files: recognised columns, the meaning of labels, and errors for broken files."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tfclf.data import Layout, Row, labelled_rows, read_rows
from tfclf.errors import DataError

AG_NEWS = ("World", "Sports", "Business", "Sci/Tech")
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str) -> Path:
        path = tmp_path / name
        data = content.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return written


def parquet(path: Path, **columns: Sequence[object]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "text,label\ngood,pos\n"),
        ("rows.csv", "\ufefflabel,text\r\npos,good\r\n"),
        ("rows.csv", "id,Review,Sentiment\n1,good,pos\n"),
        ("rows.csv", ",text,label\n0,good,pos\n"),
        ("rows.csv.gz", "sentence,class\ngood,pos\n"),
        ("rows.jsonl", '{"content": "good", "polarity": "pos", "id": 1}\n\n'),
        ("rows.jsonl.gz", '{"text": "good", "label": "pos"}'),
        ("rows.tsv", "text\tlabel\ngood\tpos\n"),
        ("rows.csv", "text;label\ngood;pos\n"),
        ("rows.csv", "text\tlabel\ngood\tpos\n"),
        ("rows.csv", "sep=;\ntext;label\ngood;pos\n"),
        ("rows.csv", "\n\r\ntext;label\ngood;pos\n"),
        ("rows.csv", "\ufeff\ufefftext,label\ngood,pos\n"),
        ("rows.tab", "text\tlabel\ngood\tpos\n"),
        ("rows.json", '[{"text": "good",\n"label": "pos"}]'),
        ("rows.json", '{"text": "good", "label": "pos"}\n'),
        ("rows.ndjson", '\ufeff{"text": "good", "label": "pos"}\n'),
        ("ROWS.CSV", "text,label\ngood,pos\n"),
        ("rows.csv.jsonl", '{"text": "good", "label": "pos"}\n'),
    ],
)
def test_columns_are_recognised_by_name(write: Write, name: str, content: str) -> None:
    assert list(read_rows(write(name, content))) == [Row("good", "pos")]


def test_parquet_columns_are_recognised_by_name(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", review=["bon", "nul"], polarity=[1, 0])
    assert list(labelled_rows(path, ["neg", "pos"])) == [Row("bon", "pos"), Row("nul", "neg")]


def test_official_ag_news_layout_is_recognised_without_a_header(write: Write) -> None:
    path = write(
        "test.csv", '"3","Fears for T N","Unions ""say"" so"\n"4","The Race","A second\\team"\n'
    )
    assert list(labelled_rows(path, AG_NEWS)) == [
        Row('Fears for T N Unions "say" so', "Business"),
        Row("The Race A second\\team", "Sci/Tech"),
    ]


def test_text_columns_are_joined_by_a_space(write: Write) -> None:
    path = write("rows.csv", "title,body,kind\nA,b c,x\n")
    layout = Layout(text=("title", "body"), label="kind")
    assert list(read_rows(path, layout)) == [Row("A b c", "x")]


def test_columns_without_names_are_given_by_position(write: Write) -> None:
    path = write("rows.csv", "x,A,b c\n")
    layout = Layout(text=("1", "2"), label="0", header=False)
    assert list(read_rows(path, layout)) == [Row("A b c", "x")]


@pytest.mark.parametrize("content", ["id,tweet\nx,A goal\n", "tweet\n", "tweet\nA goal\n"])
def test_a_first_row_that_may_be_names_or_a_text_is_refused(write: Write, content: str) -> None:
    path = write("rows.csv", content)
    layout = Layout(text=(str(content.split("\n")[0].count(",")),))
    with pytest.raises(DataError, match=r"names or a row: .*'tweet'.*--no-header; .*--text-column"):
        list(read_rows(path, layout, labelled=False))


@pytest.mark.parametrize(
    ("content", "texts"),
    [("id,tweet\n1,A goal\n", ["A goal"]), ("1,A goal\n2,Rates\n", ["A goal", "Rates"])],
)
def test_a_column_of_numbers_shows_whether_there_is_a_header(
    write: Write, content: str, texts: list[str]
) -> None:
    rows = read_rows(write("rows.csv", content), Layout(text=("1",)), labelled=False)
    assert [row.text for row in rows] == texts


def test_a_delimiter_can_be_stated(write: Write) -> None:
    layout = Layout(text=("1",), label="0", header=False, delimiter=";")
    assert list(read_rows(write("rows.csv", "x;A, b\n"), layout)) == [Row("A, b", "x")]


def test_a_comma_within_a_text_is_no_delimiter_of_a_semicolon_file(write: Write) -> None:
    path = write("rows.csv", "text;label\nA, b;x\n")
    assert list(read_rows(path)) == [Row("A, b", "x")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    content = "text,label\ncafé,pos\n"
    if name == "rows.jsonl":
        content = '{"text": "café", "label": "pos"}\n'
    (tmp_path / name).write_bytes(content.encode(encoding))
    assert list(read_rows(tmp_path / name)) == [Row("café", "pos")]


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE"])
def test_utf16_without_a_mark_is_told(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "rows.csv").write_bytes("text,label\n".encode(encoding))
    with pytest.raises(DataError, match=f"iconv -f {encoding} -t UTF-8"):
        list(read_rows(tmp_path / "rows.csv"))


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.json"])
@pytest.mark.parametrize(
    ("first_bytes", "message"),
    [
        (gzip.compress(b"text\n", mtime=0), "compressed with gzip.*gunzip, or add .gz to its name"),
        (b"BZh91AY&SY\x00", "compressed with bzip2"),
        (b"\xfd7zXZ\x00", "compressed with xz"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"PK\x03\x04\x14\x00", "a zip, as an .xlsx is.*save the sheet as CSV"),
        (b"PAR1\x15\x04", "Parquet.*ends in .parquet"),
    ],
)
def test_a_file_that_is_no_text_is_told_by_its_first_bytes(
    tmp_path: Path, name: str, first_bytes: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(first_bytes)
    with pytest.raises(DataError, match=f"{name}: its first bytes say that it is {message}"):
        list(read_rows(tmp_path / name))


def test_a_text_that_begins_like_a_format_is_a_text(write: Write) -> None:
    path = write("rows.csv", "PAR1 is a word,pos\nBZh too,neg\n")
    layout = Layout(text=("0",), header=False)
    assert len(list(read_rows(path, layout, labelled=False))) == 2


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_one_column_that_hides_several_is_refused(
    write: Write, delimiter: str, header: bool
) -> None:
    path = write("rows.csv", f"1{delimiter}goal\n2{delimiter}rates\n")
    with pytest.raises(DataError, match=r"found 1 column, '1.*goal'.*--delimiter (tab|semi|pipe)"):
        list(read_rows(path, Layout(text=("0",), header=header), labelled=False))


@pytest.mark.parametrize("delimiter", [",", None])
def test_one_column_of_texts_may_hold_other_delimiters(write: Write, delimiter: str | None) -> None:
    content = "a; b\nc; d\n" if delimiter else "a; b\nc\n"
    layout = Layout(text=("0",), header=False, delimiter=delimiter)
    rows = read_rows(write("rows.csv", content), layout, labelled=False)
    assert [row.text for row in rows] == content.splitlines()


@pytest.mark.parametrize(
    "content",
    [
        '{"data": [{"text": "a"}]}',
        '{\n  "data": [\n    {"text": "a"}\n  ]\n}\n',
        '{"text": ["a"], "label": [0]}',
        '{"text": {"0": "a"}}',
    ],
)
def test_a_json_object_that_holds_the_table_is_told_with_the_way_out(
    write: Write, content: str
) -> None:
    with pytest.raises(DataError, match=r"one JSON object with the keys .*for instance with"):
        list(read_rows(write("rows.json", content), labelled=False))


@pytest.mark.parametrize(
    ("name", "stated"), [("part-00000", "csv"), ("rows.log", "csv"), ("rows.jsonl", "csv")]
)
def test_the_stated_format_comes_before_the_suffix(write: Write, name: str, stated: str) -> None:
    path = write(name, "text,label\ngood,pos\n")
    assert list(read_rows(path, Layout(format=stated))) == [Row("good", "pos")]


def test_the_advice_for_other_encodings_keeps_windows_quotes(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("text\n“Rates”\n".encode("cp1252"))
    with pytest.raises(DataError, match="iconv -f CP1252 -t UTF-8"):
        list(read_rows(tmp_path / "rows.csv", labelled=False))


def test_a_header_can_be_denied(write: Write) -> None:
    path = write("rows.csv", "text,label\ngood,pos\n")
    layout = Layout(text=("0",), label="1", header=False)
    assert [row.text for row in read_rows(path, layout)] == ["text", "good"]


def test_a_header_can_be_stated(write: Write) -> None:
    path = write("rows.csv", "a,b\ngood,pos\n")
    assert list(read_rows(path, Layout(text=("0",), label="1", header=True))) == [
        Row("good", "pos")
    ]


def test_rows_can_be_read_without_labels(write: Write) -> None:
    assert list(read_rows(write("rows.csv", "text\ngood\n"), labelled=False)) == [Row("good", None)]


def test_line_breaks_inside_quotes_stay_in_the_text(write: Write) -> None:
    path = write("rows.csv", 'text,label\n"two\nlines",pos\n')
    assert [row.text for row in read_rows(path)] == ["two\nlines"]


def test_a_cell_may_be_longer_than_the_csv_modules_own_limit(write: Write) -> None:
    assert (
        len(next(read_rows(write("rows.csv", f"text,label\n{'x' * 200_000},pos\n"))).text)
        == 200_000
    )


def test_reading_is_lazy(write: Write) -> None:
    rows = read_rows(write("rows.jsonl", '{"text": "good", "label": "pos"}\nnot json\n'))
    assert next(rows) == Row("good", "pos")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["neg", "pos"], ["neg", "pos"]),
        (["1", "2"], ["neg", "pos"]),
        (["0", "1"], ["neg", "pos"]),
        (["2", "2"], ["pos", "pos"]),
        (["0", "0"], ["neg", "neg"]),
        (["0.0", "1.0"], ["neg", "pos"]),
        (["2.", "1"], ["pos", "neg"]),
    ],
)
def test_labels_are_names_or_numbers_from_0_or_1(
    write: Write, written: list[str], expected: list[str]
) -> None:
    path = write("rows.csv", "text,label\n" + "".join(f"good,{label}\n" for label in written))
    assert [row.label for row in labelled_rows(path, ["neg", "pos"])] == expected


def test_the_meaning_of_numbers_is_told_with_the_rows(write: Write) -> None:
    rows = labelled_rows(write("rows.csv", "text,label\ngood,1\nbad,2\n"), ["neg", "pos"])
    next(rows)
    assert rows.numbers == {"1": "neg", "2": "pos"}


def test_a_list_of_labels_is_refused_for_a_single_label_model(write: Write) -> None:
    path = write("rows.jsonl", '{"text": "good", "label": ["neg", "pos"]}')
    with pytest.raises(DataError, match=r"a list of labels, .* for a multi-label model"):
        list(labelled_rows(path, ["neg", "pos"]))


def test_label_names_that_are_numbers_are_names(write: Write) -> None:
    path = write("rows.csv", "text,label\ngood,1\nbad,2\n")
    assert [row.label for row in labelled_rows(path, ["2", "1"])] == ["1", "2"]


def test_whole_numbers_that_pandas_wrote_as_floats_are_names_that_are_numbers(
    write: Write,
) -> None:
    rows = labelled_rows(write("rows.csv", "text,label\na,1.0\nb,0.0\nc,1\n"), ["1", "0"])
    assert [row.label for row in rows] == ["1", "0", "1"]
    assert rows.numbers == {}


@pytest.mark.parametrize(("base", "expected"), [(0, "Sports"), (1, "World")])
def test_label_base_settles_what_numbers_leave_open(write: Write, base: int, expected: str) -> None:
    path = write("rows.csv", "text,label\ngood,1\n")
    assert next(labelled_rows(path, AG_NEWS, Layout(label_base=base))).label == expected


def test_numbers_that_may_count_from_0_or_1_are_refused_with_the_option(write: Write) -> None:
    path = write("rows.csv", "text,label\ngood,1\nbad,3\n")
    with pytest.raises(DataError, match=r"numbers 1, 3, .*--label-base 0 or --label-base 1"):
        next(labelled_rows(path, AG_NEWS))


@pytest.mark.parametrize("numbers", [(0, 4), (5, 5), (-1, 2)])
def test_numbers_beyond_the_labels_are_refused(write: Write, numbers: tuple[int, int]) -> None:
    path = write("rows.csv", "text,label\n" + "".join(f"good,{number}\n" for number in numbers))
    with pytest.raises(DataError, match="expected 0 to 3, or 1 to 4"):
        next(labelled_rows(path, AG_NEWS))


def test_a_number_beyond_a_given_label_base_is_refused_with_its_line(write: Write) -> None:
    path = write("rows.csv", "text,label\ngood,1\nbad,0\n")
    with pytest.raises(DataError, match=r"rows.csv, line 3: label 0; expected 1 to 2"):
        next(labelled_rows(path, ["neg", "pos"], Layout(label_base=1)))


def test_an_unknown_label_is_refused_with_its_line_and_the_nearest_one(write: Write) -> None:
    path = write("rows.csv", "text,label\ngood,World\nbad,sport\n")
    with pytest.raises(
        DataError, match=r"rows.csv, line 3: label 'sport' .*Did you mean 'Sports'\?"
    ):
        next(labelled_rows(path, AG_NEWS))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", "a", r"rows.txt ends in .txt, .*\.csv, .*\.parquet"),
        ("rows.csv", "", "has no rows"),
        ("rows.csv", "text,label\n", r"has a header \(text, label\) and no rows"),
        ("rows.jsonl", "\n", "has no rows"),
        (
            "rows.csv",
            "a,b\nc,d\n",
            "no column is named for the text: found 2 columns, 0 to 1, and in line 1 'a', 'b'",
        ),
        (
            "rows.csv",
            "text,review,label\na,b,c\n",
            "several columns may hold the text: found text, review",
        ),
        (
            "rows.csv",
            "text,kind\na,b\n",
            r"no column is named for the label: found text, kind.*--label-col",
        ),
        ("rows.csv", "text,text,label\na,b,c\n", "line 1: the header names text more than once"),
        ("rows.csv", "text,label\na,b\nc\n", r"line 3: found 1 columns; expected 2"),
        ("rows.csv", 'text,label\na,b\n"c,d\ne,f\n', r"line 3: this row is not CSV"),
        ("rows.csv", "text,label\ra,b\r", r"line 1: found a carriage return outside quotes"),
        ("rows.csv", "text,label\na,\n", r"line 2: label is ''; expected a label's name"),
        ("rows.jsonl", '{"text": "a", "label": "b"}\n{"text": "a", ', r"line 2: not JSON"),
        ("rows.jsonl", "[1]", r"line 1: found a JSON list; expected an object"),
        (
            "rows.jsonl",
            '{"text": "a", "label": "b"}\n{"text": "a"}\n',
            r"line 2: there is no 'label'",
        ),
        ("rows.jsonl", '{"text": 3, "label": "b"}', r"line 1: text is 3; expected text"),
        (
            "rows.jsonl",
            '{"text": "a", "label": true}',
            r"line 1: label is True; expected a label's name",
        ),
        (
            "rows.jsonl",
            '{"text": "a", "label": 0.5}',
            r"line 1: label is 0.5; expected a label's name",
        ),
    ],
)
def test_a_broken_file_is_told_with_its_name_and_line(
    write: Write, name: str, content: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        list(read_rows(write(name, content)))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.csv does not exist"):
        list(read_rows(tmp_path / "none.csv"))


def test_a_missing_column_is_told_with_those_found(write: Write) -> None:
    path = write("rows.csv", "text,label\na,b\n")
    with pytest.raises(
        DataError, match=r"no column 'body': found text, label. Correct --text-column"
    ):
        list(read_rows(path, Layout(text=("body",))))


def test_bytes_that_are_not_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text,label\ngood,pos\ncaf\xe9,pos\n")
    with pytest.raises(DataError, match=r"line 3: byte 4 of the line, 0xe9, is not UTF-8"):
        list(read_rows(path))


def test_a_cut_gzip_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    lines = "".join(
        json.dumps({"text": str(number), "label": "pos"}) + "\n" for number in range(5_000)
    )
    path.write_bytes(gzip.compress(lines.encode())[:-2_000])
    with pytest.raises(DataError, match=r"breaks off after line \d+.*whole gzip file"):
        list(read_rows(path))


def test_a_file_that_only_claims_to_be_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"take \.gz off its name if it was unpacked"):
        list(read_rows(path))


def test_a_cut_parquet_file_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", text=["good"] * 100, label=["pos"] * 100)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="whole Parquet file"):
        list(read_rows(path))


def test_a_null_in_a_parquet_file_is_told_with_its_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", text=["good", None], label=["pos", "pos"])
    with pytest.raises(DataError, match=r"row 2: text is None; expected text"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("name", "labels", "rows"),
    [
        ("ag_news/test.csv", AG_NEWS, 7_600),
        ("ag_news/train_subset.csv", AG_NEWS, 15_165),
        ("imdb/test.jsonl.gz", ("neg", "pos"), 25_000),
        ("allocine/test.parquet", ("neg", "pos"), 10_000),
    ],
)
def test_every_row_of_the_real_files_is_read(
    shared: Path, name: str, labels: tuple[str, ...], rows: int
) -> None:
    found = list(labelled_rows(shared / "data" / name, labels))
    assert len(found) == rows
    assert {row.label for row in found} == set(labels)
