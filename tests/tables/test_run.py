"""Rows of files in, rows with predictions out."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import tfclf
from tests.tables.rows import ROWS, read_rows, write_rows
from tfclf.data.layout import Layout
from tfclf.decision import Rule
from tfclf.errors import DataError, InputError
from tfclf.tables import Names, Options, Shard, formats, run, score_files


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of shards as small as the files of these tests."""
    monkeypatch.setattr(run, "_BLOCK", 5)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_row_keeps_its_columns_in_every_format(
    classifier: tfclf.Classifier, rows_file: Path, suffix: str
) -> None:
    output = rows_file.with_name(f"scored{suffix}")
    score_files(classifier, rows_file, output)
    kept = [{name: row[name] for name in ROWS[0]} for row in read_rows(output)]
    assert kept == ROWS


def test_predictions_are_those_of_predict(classifier: tfclf.Classifier, rows_file: Path) -> None:
    output = rows_file.with_name("scored.jsonl")
    score_files(classifier, rows_file, output)
    expected = classifier.predict([row["text"] for row in ROWS])
    scored = read_rows(output)
    assert [row["label"] for row in scored] == [prediction.label for prediction in expected]
    np.testing.assert_allclose(
        [[row[label] for label in classifier.labels] for row in scored],
        [list((prediction.probabilities or {}).values()) for prediction in expected],
        atol=1e-6,
    )


@pytest.fixture(scope="module")
def colours(multi_label_export: Path) -> tfclf.Classifier:
    return tfclf.load(multi_label_export)


def test_a_rule_adds_lists_of_labels(colours: tfclf.Classifier, rows_file: Path) -> None:
    output = rows_file.with_name("scored.parquet")
    rule = Rule(top_k=2, threshold=0.5)
    score_files(colours, rows_file, output, options=Options(rule=rule))
    expected = colours.predict([row["text"] for row in ROWS], top_k=2, threshold=0.5)
    scored = read_rows(output)
    assert [row["top"] for row in scored] == [
        [label for label, _ in one.top or ()] for one in expected
    ]
    assert [row["labels"] for row in scored] == [list(one.labels or ()) for one in expected]


def test_a_label_is_missing_where_the_model_abstains(
    colours: tfclf.Classifier, tmp_path: Path
) -> None:
    options = Options(rule=Rule(abstain_below=1.0))
    source = write_rows(tmp_path / "rows.csv")
    score_files(colours, source, tmp_path / "scored.jsonl", options=options)
    scored = read_rows(tmp_path / "scored.jsonl")
    assert {row["label"] for row in scored} == {None}
    assert all("is below 1" in row["reason"] for row in scored)


def test_a_column_that_the_rule_needs_is_not_overwritten(
    colours: tfclf.Classifier, tmp_path: Path
) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [{"text": "news", "reason": "mine"}])
    with pytest.raises(InputError, match=r"has a column 'reason'.*--prefix"):
        score_files(
            colours,
            source,
            tmp_path / "scored.jsonl",
            options=Options(rule=Rule(abstain_below=0.5)),
        )


def test_a_row_without_a_text_has_no_ranks(colours: tfclf.Classifier, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [{"text": "news"}, {"text": None}])
    options = Options(rule=Rule(top_k=1, threshold=0.5), on_error="null")
    score_files(colours, source, tmp_path / "scored.parquet", options=options)
    assert [row["top"] is None for row in read_rows(tmp_path / "scored.parquet")] == [False, True]


def test_the_added_columns_are_label_score_probabilities_and_truncated(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    score_files(classifier, write_rows(tmp_path / "rows.csv"), tmp_path / "scored.jsonl")
    assert list(read_rows(tmp_path / "scored.jsonl")[0]) == [
        *ROWS[0],
        "label",
        "score",
        *classifier.labels,
        "truncated",
    ]


def test_types_of_parquet_are_kept(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "when": pyarrow.array([1, 2], pyarrow.timestamp("ns")),
            "price": pyarrow.array([None, 3], pyarrow.decimal128(9, 2)),
            "kind": pyarrow.array(["a", "b"]).dictionary_encode(),
            "text": ["a", "b"],
        }
    )
    parquet.write_table(table, tmp_path / "rows.parquet")
    score_files(classifier, tmp_path / "rows.parquet", tmp_path / "scored.parquet")
    scored = parquet.read_table(tmp_path / "scored.parquet")
    assert scored.select(table.column_names).equals(table)


def test_values_of_json_are_kept_as_they_are(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = [
        {"id": 2**70, "text": "a", "tags": ["x", {"y": None}]},
        {"id": "seven", "text": "\ud800 half a character", "more": 0.1},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.jsonl")
    scored = read_rows(tmp_path / "scored.jsonl")
    assert [
        {name: row[name] for name in given} for row, given in zip(scored, rows, strict=True)
    ] == rows


def test_a_folder_of_parquet_is_read_with_its_partitions(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    write_rows(tmp_path / "in" / "year=2025" / "a.parquet", ROWS[:3])
    write_rows(tmp_path / "in" / "year=2026" / "b.parquet", ROWS[3:5])
    (tmp_path / "in" / "_SUCCESS").touch()
    score_files(classifier, tmp_path / "in", tmp_path / "scored.jsonl")
    scored = read_rows(tmp_path / "scored.jsonl")
    assert [(row["id"], row["year"]) for row in scored] == [
        *((row["id"], 2025) for row in ROWS[:3]),
        *((row["id"], 2026) for row in ROWS[3:5]),
    ]


def test_a_pattern_is_read_in_the_order_of_names(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    write_rows(tmp_path / "b.csv", ROWS[2:4])
    write_rows(tmp_path / "a.csv", ROWS[:2])
    score_files(classifier, tmp_path / "[ab].csv", tmp_path / "scored.csv")
    assert [row["id"] for row in read_rows(tmp_path / "scored.csv")] == [
        row["id"] for row in ROWS[:4]
    ]


def test_a_name_without_a_suffix_is_a_folder_of_parts(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    score_files(classifier, write_rows(tmp_path / "rows.csv"), tmp_path / "scored", part_rows=20)
    parts = sorted((tmp_path / "scored").glob("*.parquet"))
    assert [len(read_rows(part)) for part in parts] == [20, 20, 13]


def test_only_the_columns_that_are_named_are_kept(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    score_files(
        classifier, write_rows(tmp_path / "rows.csv"), tmp_path / "scored.csv", columns=["id"]
    )
    assert list(read_rows(tmp_path / "scored.csv")[0])[:2] == ["id", "label"]


def test_probabilities_may_be_one_column_of_maps(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    score_files(classifier, rows, tmp_path / "scored.jsonl", names=Names(probabilities="map"))
    assert set(read_rows(tmp_path / "scored.jsonl")[0]["probabilities"]) == set(classifier.labels)


@pytest.mark.parametrize(
    ("taken", "names"),
    [
        ("label", Names()),
        ("World", Names()),
        ("new_score", Names(prefix="new_")),
        ("topic", Names(renamed={"label": "topic"})),
    ],
)
def test_a_name_that_is_taken_is_refused(
    classifier: tfclf.Classifier, tmp_path: Path, taken: str, names: Names
) -> None:
    rows = write_rows(tmp_path / "rows.csv", [{"text": "a", taken: "b"}])
    with pytest.raises(InputError, match=f"has a column '{taken}'.*--prefix"):
        score_files(classifier, rows, tmp_path / "scored.csv", names=names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"])
def test_a_job_that_was_killed_ends_with_the_same_bytes(
    classifier: tfclf.Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    score_files(classifier, rows, tmp_path / f"whole{suffix}", part_rows=10)
    write_part, written = formats.write_part, list[Path]()

    def die_after_two(path: Path, *arguments: Any, **options: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write_part(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(run, "write_part", die_after_two)
        with pytest.raises(KeyboardInterrupt):
            score_files(classifier, rows, tmp_path / f"resumed{suffix}", part_rows=10)
    summary = score_files(classifier, rows, tmp_path / f"resumed{suffix}", part_rows=10)
    assert (summary.rows, summary.resumed) == (len(ROWS), 20)
    assert (tmp_path / f"resumed{suffix}").read_bytes() == (
        tmp_path / f"whole{suffix}"
    ).read_bytes()


def test_nothing_but_the_output_is_left(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    score_files(classifier, write_rows(tmp_path / "rows.csv"), tmp_path / "scored.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "scored.csv"]


def test_a_compressed_output_has_one_header(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    score_files(classifier, rows, tmp_path / "scored.csv.gz", part_rows=10)
    with gzip.open(tmp_path / "scored.csv.gz", "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert [lines.count(lines[0]), len(lines)] == [1, len(ROWS) + 1]


def _begin(classifier: tfclf.Classifier, tmp_path: Path, **options: Any) -> None:
    """Leave a job after its first part."""
    job = run._Work._write

    def write_one(work: Any, number: int, *arguments: Any) -> None:
        if number == 1:
            raise KeyboardInterrupt
        job(work, number, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run._Work, "_write", write_one)
        with pytest.raises(KeyboardInterrupt):
            score_files(
                classifier,
                tmp_path / "rows.csv",
                tmp_path / "scored.csv",
                part_rows=10,
                **options,
            )


def test_other_options_do_not_go_on_with_a_job(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    _begin(classifier, tmp_path)
    with pytest.raises(InputError, match=r"10 rows of a job.*'batch_size': 32.*'batch_size': 8"):
        score_files(
            classifier, rows, tmp_path / "scored.csv", part_rows=10, options=Options(batch_size=8)
        )


def test_another_input_does_not_go_on_with_a_job(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    _begin(classifier, tmp_path)
    write_rows(rows, ROWS[:40])
    with pytest.raises(InputError, match="input was"):
        score_files(classifier, rows, tmp_path / "scored.csv", part_rows=10)


def test_a_job_may_begin_anew(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    _begin(classifier, tmp_path)
    summary = score_files(classifier, rows, tmp_path / "scored.csv", resume=False)
    assert (summary.rows, summary.resumed) == (len(ROWS), 0)


def test_an_output_is_not_replaced_in_silence(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    (tmp_path / "scored.csv").write_text("mine")
    with pytest.raises(InputError, match=r"is there already.*--overwrite"):
        score_files(classifier, rows, tmp_path / "scored.csv")
    assert (tmp_path / "scored.csv").read_text() == "mine"


def test_a_folder_with_other_files_is_refused(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"thesis\.tex, which no job"):
        score_files(classifier, rows, tmp_path / "out")


def test_a_complete_folder_is_left_as_it_is(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    score_files(classifier, rows, tmp_path / "out")
    summary = score_files(classifier, rows, tmp_path / "out")
    assert summary.resumed == len(ROWS)


def test_the_output_is_not_the_input(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    for output in (rows, tmp_path):
        with pytest.raises(InputError, match="Expected two places"):
            score_files(classifier, rows, output, overwrite=True)


def test_a_second_process_is_kept_off(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    (tmp_path / "scored.csv.parts").mkdir()
    with (
        FileLock(tmp_path / "scored.csv.parts" / ".lock"),
        pytest.raises(DataError, match="being written by another process"),
    ):
        score_files(classifier, rows, tmp_path / "scored.csv")


@pytest.mark.usefixtures("small_parts")
def test_shards_share_the_rows(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    found = []
    for number in (1, 2, 3):
        summary = score_files(classifier, rows, tmp_path / "scored.csv", shard=Shard(number, 3))
        found += [row["id"] for row in read_rows(summary.output)]
    assert sorted(found) == [row["id"] for row in ROWS]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_shard_without_rows_is_an_empty_table(
    classifier: tfclf.Classifier, tmp_path: Path, suffix: str
) -> None:
    rows = write_rows(tmp_path / f"rows{suffix}")
    summary = score_files(classifier, rows, tmp_path / f"scored{suffix}", shard=Shard(2, 2))
    assert (summary.rows, read_rows(summary.output)) == (0, [])


BROKEN = '{"id": 1, "text": "a"}\n{"id": 2, "text": null}\nno JSON\n{"id": 4, "text": "b"}\n'


def test_a_row_without_a_text_ends_the_job(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(BROKEN)
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2: text is None.*--on-error skip"):
        score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.jsonl")


def test_rows_without_a_text_are_skipped(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(BROKEN)
    options = Options(on_error="skip")
    summary = score_files(
        classifier, tmp_path / "rows.jsonl", tmp_path / "scored.jsonl", options=options
    )
    assert [row["id"] for row in read_rows(summary.output)] == [1, 4]


def test_rows_without_a_text_are_null(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(BROKEN)
    options = Options(on_error="null")
    summary = score_files(
        classifier, tmp_path / "rows.jsonl", tmp_path / "scored.parquet", options=options
    )
    rows = read_rows(summary.output)
    assert [(row["id"], row["label"] is None, row["World"] is None) for row in rows] == [
        (1, False, False),
        (2, True, True),
        (4, False, False),
    ]


def test_failures_are_listed_with_place_and_reason(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(BROKEN)
    options = Options(on_error="skip")
    summary = score_files(
        classifier, tmp_path / "rows.jsonl", tmp_path / "scored.jsonl", options=options
    )
    assert summary.failures is not None
    assert [row["place"] for row in read_rows(summary.failures)] == ["line 2", "line 3"]


def test_a_parquet_file_that_is_cut_short_is_named(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.parquet")
    rows.write_bytes(rows.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cannot be read as Parquet.*copy them again"):
        score_files(classifier, rows, tmp_path / "scored.parquet")


def test_a_missing_column_is_named(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    with pytest.raises(DataError, match="has no column 'body': found id, text"):
        score_files(classifier, rows, tmp_path / "scored.csv", layout=Layout(text=("body",)))


def test_a_file_error_comes_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv does not exist"):
        score_files("no such model", tmp_path / "rows.csv", tmp_path / "scored.csv")


def test_rows_that_do_not_fit_parquet_name_another_format(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": "b", "text": "b"}\n')
    with pytest.raises(DataError, match=r"do not fit a Parquet file.*ends in \.jsonl"):
        score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.parquet")


def test_a_column_of_later_rows_is_not_dropped_in_silence(
    classifier: tfclf.Classifier, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"text": "b", "id": 7}\n')
    with pytest.raises(DataError, match=r"has a column 'id', which the first row lacks"):
        score_files(classifier, tmp_path / "rows.jsonl", tmp_path / "scored.csv")


def test_a_full_disk_says_what_is_kept(
    classifier: tfclf.Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(run, "write_part", fail)
    with pytest.raises(DataError, match=r"No space left on device.*give the same command again"):
        score_files(classifier, write_rows(tmp_path / "rows.csv"), tmp_path / "scored.csv")


def test_streams_give_the_same_bytes(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    for streams in (1, 3):
        options = Options(batch_size=4, streams=streams)
        score_files(classifier, rows, tmp_path / f"scored_{streams}.csv", options=options)
    assert (tmp_path / "scored_1.csv").read_bytes() == (tmp_path / "scored_3.csv").read_bytes()


def test_windows_are_counted_in_a_column(classifier: tfclf.Classifier, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"text": "news"}, {"text": "news " * 900}])
    score_files(classifier, rows, tmp_path / "scored.jsonl", options=Options(long="windows"))
    assert [row["windows"] > 1 for row in read_rows(tmp_path / "scored.jsonl")] == [False, True]


_CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(texts=st.lists(_CELLS, min_size=1, max_size=12), suffix=st.sampled_from([".csv", ".jsonl"]))
def test_any_texts_come_back_as_they_were(
    classifier: tfclf.Classifier,
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    suffix: str,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = write_rows(folder / "rows.jsonl", [{"text": text} for text in texts])
    score_files(classifier, rows, folder / f"scored{suffix}")
    assert [row["text"] for row in read_rows(folder / f"scored{suffix}")] == texts
