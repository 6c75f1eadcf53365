"""Data sets in folders: every published layout is found, and errors say what is wrong with one."""

import dataclasses
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.test_layout import AG_NEWS, parquet
from tfclf.catalog import cards
from tfclf.data import DATA_SETS, Layout, Row, find_data_set, find_split, split_of, split_rows
from tfclf.data.class_folders import read_class_folders
from tfclf.errors import DataError

NEWS = ["Talks resume", "Late goal wins", "Shares jump", "New chip"]


def read(
    folder: Path, data_set: str, split: str = "train", layout: Layout | None = None
) -> list[Row]:
    found = find_split(folder, find_data_set(data_set), split)
    assert found is not None
    return list(split_rows(found, layout))


def acl_imdb(folder: Path, **texts: Sequence[str]) -> Path:
    """Write train/<label>/<number>_7.txt."""
    for label, found in texts.items():
        (folder / "train" / label).mkdir(parents=True)
        for number, text in enumerate(found):
            (folder / "train" / label / f"{number}_7.txt").write_text(
                text, encoding="utf-8", newline=""
            )
    return folder


def lines(path: Path, *records: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


EXPECTED_NEWS = [Row(text, label) for text, label in zip(NEWS, AG_NEWS, strict=True)]


def ag_news_csv(folder: Path) -> None:
    title_and_rest = (text.split(" ", 1) for text in NEWS)
    rows = (
        f'"{number}","{title}","{rest}"\n' for number, (title, rest) in enumerate(title_and_rest, 1)
    )
    (folder / "train.csv").write_text("".join(rows))
    (folder / "classes.txt").write_text("World\nSports\nBusiness\nSci/Tech\n")


def ag_news_parquet(folder: Path) -> None:
    parquet(folder / "train-00000-of-00001.parquet", text=NEWS, label=[0, 1, 2, 3])


def ag_news_shards(folder: Path) -> None:
    (folder / "data").mkdir()
    for number in range(2):
        shard = slice(2 * number, 2 * number + 2)
        path = folder / "data" / f"train-0000{number}-of-00002-a09b74b3ef9c3b56.parquet"
        parquet(path, text=NEWS[shard], label=[0, 1, 2, 3][shard])


def ag_news_converted(folder: Path) -> None:
    (folder / "default" / "train").mkdir(parents=True)
    parquet(folder / "default" / "train" / "0000.parquet", text=NEWS, label=[0, 1, 2, 3])


def ag_news_named(folder: Path) -> None:
    lines(
        folder / "train.jsonl", *({"text": row.text, "label": row.label} for row in EXPECTED_NEWS)
    )


def ag_news_archive(folder: Path) -> None:
    (folder / "ag_news_csv").mkdir()
    ag_news_csv(folder / "ag_news_csv")


@pytest.mark.parametrize(
    "write",
    [
        ag_news_csv,
        ag_news_parquet,
        ag_news_shards,
        ag_news_converted,
        ag_news_named,
        ag_news_archive,
    ],
)
def test_ag_news_is_read_in_every_layout(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    assert read(tmp_path, "ag_news") == EXPECTED_NEWS


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: acl_imdb(folder, pos=["fine"], neg=["poor"], unsup=["who knows"]),
        lambda folder: acl_imdb(folder / "aclImdb", neg=["poor"], pos=["fine"]),
        lambda folder: lines(
            folder / "train.jsonl.gz",
            {"text": "poor", "label": "neg"},
            {"text": "fine", "label": "pos"},
        ),
        lambda folder: lines(
            folder / "train.jsonl",
            {"review": "poor", "sentiment": "Negative"},
            {"review": "fine", "sentiment": "pos"},
        ),
        lambda folder: (
            (folder / "plain_text").mkdir(),
            parquet(
                folder / "plain_text" / "train-00000-of-00001.parquet",
                text=["poor", "fine"],
                label=[0, 1],
            ),
            parquet(
                folder / "plain_text" / "unsupervised-00000-of-00001.parquet",
                text=["who"],
                label=[-1],
            ),
        ),
    ],
    ids=["aclImdb", "folder_around_it", "jsonl", "other_spellings", "parquet"],
)
def test_imdb_is_read_in_every_layout(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path)
    assert read(tmp_path, "imdb") == [Row("poor", "neg"), Row("fine", "pos")]


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: parquet(
            folder / "train.parquet", review=["déçu", "très réussi"], polarity=[0, 1]
        ),
        lambda folder: (
            (folder / "allocine").mkdir(),
            parquet(
                folder / "allocine" / "train-00000-of-00001.parquet",
                review=["déçu", "très réussi"],
                label=[0, 1],
            ),
        ),
        lambda folder: lines(
            folder / "train.jsonl",
            {"review": "déçu", "polarity": 0},
            {"review": "très réussi", "polarity": 1},
        ),
        lambda folder: lines(
            folder / "train.jsonl",
            {"review": "déçu", "label": "négatif"},
            {"review": "très réussi", "label": "positif"},
        ),
    ],
    ids=["parquet", "hub", "jsonl", "names"],
)
def test_allocine_is_read_in_every_layout(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path)
    assert read(tmp_path, "allocine") == [Row("déçu", "neg"), Row("très réussi", "pos")]


def test_each_split_has_its_own_files(tmp_path: Path) -> None:
    for split in ("train", "test", "validation"):
        lines(tmp_path / f"{split}.jsonl", {"text": split, "label": "pos"})
    assert [read(tmp_path, "imdb", split)[0].text for split in ("train", "test")] == [
        "train",
        "test",
    ]


def test_the_official_name_goes_before_a_parts(tmp_path: Path) -> None:
    for name in ("train", "train_subset"):
        (tmp_path / f"{name}.csv").write_text(f"class,text\n4,{name} rows\n")
    assert read(tmp_path, "ag_news") == [Row("train rows", "Sci/Tech")]


def test_numbers_that_leave_it_open_count_from_0_in_the_hubs_conversions(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "Talks", "label": 1}\n')
    assert read(tmp_path, "ag_news") == [Row("Talks", "Sports")]


def test_numbers_that_leave_it_open_count_from_1_in_the_official_columns(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text('"1","Talks","resume"\n')
    assert read(tmp_path, "ag_news") == [Row("Talks resume", "World")]


def test_numbers_that_leave_it_open_below_a_header_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nTalks,1\n")
    with pytest.raises(DataError, match="--label-base 0 or --label-base 1"):
        read(tmp_path, "ag_news")


def test_the_case_of_a_files_name_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "TRAIN.CSV").write_text("text,label\nTalks,World\n")
    assert read(tmp_path, "ag_news") == [Row("Talks", "World")]


def test_numbers_that_say_where_they_start_are_believed(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nTalks,0\nGoal,1\n")
    assert [row.label for row in read(tmp_path, "ag_news")] == ["World", "Sports"]


def test_a_label_base_that_is_given_settles_it(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nGoal,1\n")
    assert read(tmp_path, "ag_news", layout=Layout(label_base=0)) == [Row("Goal", "Sports")]


def test_shards_are_understood_together(tmp_path: Path) -> None:
    """Each shard has one label, as in a sorted file: the 1s alone would not show their base."""
    parquet(tmp_path / "train-00000-of-00002.parquet", text=["poor"], label=[0])
    parquet(tmp_path / "train-00001-of-00002.parquet", text=["fine"], label=[1])
    assert [row.label for row in read(tmp_path, "imdb")] == ["neg", "pos"]


@given(numbers=st.lists(st.integers(0, 3), min_size=1, max_size=8), cut=st.integers(0, 8))
def test_where_rows_are_cut_into_files_changes_nothing(
    numbers: list[int], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "cut"
    records = [{"text": f"row {place}", "label": number} for place, number in enumerate(numbers)]
    whole = lines(folder / "whole.jsonl", *records)
    parts = [lines(folder / "a.jsonl", *records[:cut]), lines(folder / "b.jsonl", *records[cut:])]
    found = [
        list(split_rows(split_of(files, find_data_set("ag_news"))))
        for files in ([whole], [path for path in parts if path.stat().st_size])
    ]
    assert (
        found[0]
        == found[1]
        == [Row(f"row {place}", AG_NEWS[number]) for place, number in enumerate(numbers)]
    )


def test_class_folders_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    acl_imdb(tmp_path, neg=["a", "b", "c"], pos=["d"])
    (tmp_path / "train" / "neg" / "._0_7.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    (tmp_path / "train" / "labeledBow.feat").write_text("0:9")
    assert [row.text for row in read(tmp_path, "imdb")] == ["a", "b", "c", "d"]


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    acl_imdb(tmp_path, neg=["poor"], pos=["\ufefffine"])
    assert [row.text for row in read(tmp_path, "imdb")] == ["poor", "fine"]


def test_a_text_of_a_class_folder_may_be_utf16(tmp_path: Path) -> None:
    acl_imdb(tmp_path, neg=["poor"], pos=["fine"])
    (tmp_path / "train" / "pos" / "0_7.txt").write_bytes("fine".encode("utf-16"))
    assert [row.text for row in read(tmp_path, "imdb")] == ["poor", "fine"]


def test_a_byte_order_mark_is_no_part_of_a_column_or_a_class(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(
        "\ufeffWorld\r\nSports\r\nBusiness\r\nSci/Tech\r\n".encode()
    )
    (tmp_path / "train.csv").write_bytes("\ufefftext,label\r\ncafé,4\r\n".encode())
    assert read(tmp_path, "ag_news") == [Row("café", "Sci/Tech")]


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])).filter(
        lambda text: not text.startswith("\ufeff")
    )
)
def test_any_text_of_a_class_folder_comes_as_it_is(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any_text"
    folder.mkdir(exist_ok=True)
    (folder / "0_7.txt").write_text(text, encoding="utf-8", newline="")
    assert list(read_class_folders({"neg": folder})) == [Row(text, "neg")]


def test_nul_is_a_character_like_others(tmp_path: Path) -> None:
    acl_imdb(tmp_path / "folders", neg=["a\0b"], pos=["\0"])
    lines(
        tmp_path / "lines" / "train.jsonl",
        {"text": "a\0b", "label": "neg"},
        {"text": "\0", "label": "pos"},
    )
    assert (
        read(tmp_path / "folders", "imdb")
        == read(tmp_path / "lines", "imdb")
        == [Row("a\0b", "neg"), Row("\0", "pos")]
    )


def test_a_split_that_is_not_there_is_none(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", {"text": "fine", "label": "pos"})
    assert find_split(tmp_path, find_data_set("imdb"), "test") is None


def test_files_can_be_named(tmp_path: Path) -> None:
    path = parquet(tmp_path / "validation.parquet", review=["déçu"], polarity=[0])
    assert list(split_rows(split_of([path], find_data_set("allocine")))) == [Row("déçu", "neg")]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"pos": ["a"]}, r"train lacks the class folder neg: found pos.*Unpack IMDB again"),
        ({"unsup": ["a"]}, r"train lacks the class folder neg, pos: found unsup"),
        ({"neg": [], "pos": ["a"]}, r"neg holds nothing; expected the texts of the label neg"),
        (
            {"neg": ["a"], "pos": ["a"], "neutral": ["a"]},
            r"neutral is no label of IMDB.*Is it the right data set",
        ),
        ({"neg": ["a"], "pos": ["a"], "positive": ["a"]}, r"positive is another folder of pos"),
    ],
)
def test_class_folders_that_are_not_whole_are_told(
    tmp_path: Path, texts: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(acl_imdb(tmp_path, **texts), "imdb")


def test_a_text_that_is_not_utf8_is_told_with_its_file_and_byte(tmp_path: Path) -> None:
    acl_imdb(tmp_path, neg=["a"], pos=["b"])
    (tmp_path / "train" / "pos" / "0_7.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"0_7.txt: byte 4, 0xe9, is not UTF-8"):
        read(tmp_path, "imdb")


def test_a_text_that_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    acl_imdb(tmp_path, neg=["a"], pos=["b"])
    (tmp_path / "train" / "pos" / "1_7.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"1_7.txt cannot be read: No such file"):
        read(tmp_path, "imdb")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["train-00000-of-00003", "train-00002-of-00003"],
            r"holds 2 of the 3 shards .* missing: 00001\. Download",
        ),
        (["train-00000-of-00001", "train-00000-of-00002"], r"holds shard 0 twice"),
        (["train-00000-of-00001", "train-00001-of-00002"], r"shards of 1 and of 2 files"),
    ],
)
def test_shards_that_are_not_whole_are_told(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        parquet(tmp_path / f"{name}.parquet", text=["a"], label=[0])
    with pytest.raises(DataError, match=message):
        read(tmp_path, "imdb")


def test_rows_that_are_there_twice_are_told(tmp_path: Path) -> None:
    ag_news_csv(tmp_path)
    ag_news_parquet(tmp_path)
    with pytest.raises(
        DataError, match=r"more than once: train.csv and train-00000-of-00001.parquet.*--train-file"
    ):
        read(tmp_path, "ag_news")


@pytest.mark.parametrize(
    "classes", ["Company\nAthlete\n", "", "Sports\nWorld\nBusiness\nSci/Tech\n"]
)
def test_the_classes_of_another_data_set_are_told(tmp_path: Path, classes: str) -> None:
    ag_news_csv(tmp_path)
    (tmp_path / "classes.txt").write_text(classes)
    with pytest.raises(
        DataError, match=r"classes.txt names the labels .*; those of AG News are World, Sports"
    ):
        read(tmp_path, "ag_news")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["neg", "pos"], r"line 1: label 'neg' is none of AG News's. Expected one of World"),
        (
            ["World", "sport"],
            r"line 2: label 'sport' is none of AG News's. Did you mean 'Sports'\?",
        ),
        (["World", 2], r"line 2: label '2' is none of AG News's"),
        ([1, 5], r"numbers from 1 to 5; expected 0 to 3, or 1 to 4"),
    ],
)
def test_labels_of_another_data_set_are_told(
    tmp_path: Path, labels: list[object], message: str
) -> None:
    lines(tmp_path / "train.jsonl", *({"text": "a", "label": label} for label in labels))
    with pytest.raises(DataError, match=message):
        read(tmp_path, "ag_news")


def test_a_label_in_a_shard_is_told_with_the_shard(tmp_path: Path) -> None:
    parquet(tmp_path / "train-00000-of-00002.parquet", text=["a"], label=["neg"])
    parquet(tmp_path / "train-00001-of-00002.parquet", text=["a"], label=["so so"])
    with pytest.raises(
        DataError, match=r"train-00001-of-00002.parquet, row 1: label 'so so' is none of IMDB's"
    ):
        read(tmp_path, "imdb")


@pytest.mark.parametrize(("name", "there_is"), [("none", "does not exist"), ("file", "is a file")])
def test_a_folder_that_is_none_is_told_with_where_to_get_the_data_set(
    tmp_path: Path, name: str, there_is: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=rf"{name} {there_is}. Expected the folder of IMDB: https://"
    ):
        find_split(tmp_path / name, find_data_set("imdb"), "train")


def test_an_unknown_data_set_is_told_with_the_nearest() -> None:
    with pytest.raises(
        DataError, match=r"'ag_new'. Did you mean ag_news\? Known: ag_news, allocine, imdb"
    ):
        find_data_set("ag_new")


@pytest.mark.parametrize("card", cards.cards(), ids=lambda card: card.name)
def test_every_card_names_a_data_set_with_its_labels(card: cards.Card) -> None:
    assert set(card.labels) == set(find_data_set(card.training.data_set).labels)


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_every_spelling_stands_for_a_label(name: str) -> None:
    data_set = DATA_SETS[name]
    assert set(data_set.spellings.values()) <= set(data_set.labels)
    assert {data_set.label_named(label.upper()) for label in data_set.labels} == set(
        data_set.labels
    )


def test_data_sets_are_records() -> None:
    other = dataclasses.replace(
        DATA_SETS["imdb"], name="mine", labels=("bad", "good"), spellings={}
    )
    assert other.label_named("Good") == "good"


@pytest.mark.parametrize(
    ("data_set", "split", "rows"),
    [
        ("ag_news", "train", 15_165),
        ("ag_news", "test", 7_600),
        ("imdb", "train", 25_000),
        ("allocine", "test", 10_000),
    ],
)
def test_the_real_folders_are_read_whole(
    shared: Path, data_set: str, split: str, rows: int
) -> None:
    found = read(shared / "data" / data_set, data_set, split)
    assert (len(found), {row.label for row in found}) == (rows, set(find_data_set(data_set).labels))
