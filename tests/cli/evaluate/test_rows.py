"""The meaning of numbers in the label column."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tfclf.cli.evaluate.rows import rows_of
from tfclf.data import Layout
from tfclf.errors import DataError, InputError

ALPHABETICAL = ("Business", "Sci/Tech", "Sports", "World")  # as the cards list them
OFFICIAL = ("World", "Sports", "Business", "Sci/Tech")


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A file in the layout of the data set's publishers."""
    path = tmp_path / "test.csv"
    path.write_text('"1","Talks","resume"\n"2","Late","goal"\n"4","New","telescope"\n')
    return path


def labels_of(
    path: Path,
    labels: Sequence[str],
    *,
    named: str | None = None,
    card: str | None = None,
    label_base: int | None = None,
) -> list[str | None]:
    layout = Layout(label_base=label_base)
    return [row.label for row in rows_of(path, labels, layout, named=named, card=card)]


@pytest.mark.parametrize("options", [{"named": "ag_news"}, {"card": "ag_news"}])
@pytest.mark.parametrize("labels", [OFFICIAL, ALPHABETICAL])
def test_numbers_are_the_data_sets_whatever_the_order_of_the_outputs(
    official: Path, labels: Sequence[str], options: dict[str, str]
) -> None:
    assert labels_of(official, labels, **options) == ["World", "Sports", "Sci/Tech"]  # type: ignore[arg-type]


def test_the_folder_of_a_data_set_is_taken_for_its_test_split(official: Path) -> None:
    assert labels_of(official.parent, ALPHABETICAL, named="ag_news") == [
        "World",
        "Sports",
        "Sci/Tech",
    ]


def test_a_folder_without_a_test_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no test rows of AG News"):
        labels_of(tmp_path, OFFICIAL, named="ag_news")


def test_a_folder_of_nobody_knows_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder.*--data-set"):
        labels_of(tmp_path, OFFICIAL)


def test_numbers_that_may_be_either_ones_are_refused(official: Path) -> None:
    with pytest.raises(
        InputError, match=r"model counts as Business, .* and AG News as World, .*--data-set ag_news"
    ):
        labels_of(official, ALPHABETICAL)


def test_the_models_own_numbers_can_be_asked_for(official: Path) -> None:
    assert labels_of(official, ALPHABETICAL, label_base=1) == ["Business", "Sci/Tech", "World"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.json"])
def test_the_card_of_a_models_name_settles_no_numbers_whatever_the_kind_of_file(
    tmp_path: Path, name: str
) -> None:
    contents = {
        "rows.csv": "text,label\na,1\nb,2\n",
        "rows.tsv": "text\tlabel\na\t1\nb\t2\n",
        "rows.jsonl": '{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n',
        "rows.json": '[{"text": "a", "label": 1}, {"text": "b", "label": 2}]',
    }
    (tmp_path / name).write_text(contents[name])
    rows = rows_of(
        tmp_path / name, OFFICIAL, Layout(), named=None, card="ag_news", card_named=False
    )
    with pytest.raises(DataError, match="--label-base 0 or --label-base 1"):
        next(rows)


def test_official_files_are_read_as_the_data_set_of_the_models_name(official: Path) -> None:
    rows = rows_of(official, ALPHABETICAL, Layout(), named=None, card="ag_news", card_named=False)
    assert [row.label for row in rows] == ["World", "Sports", "Sci/Tech"]
    assert rows.numbers == dict(zip("1234", OFFICIAL, strict=True))


def test_names_are_never_ambiguous(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,World\nb,Sports\n")
    assert labels_of(path, ALPHABETICAL) == ["World", "Sports"]


def test_other_labels_than_the_named_data_sets_are_refused(official: Path) -> None:
    with pytest.raises(InputError, match=r"IMDB has the labels neg, pos, and the model has World"):
        labels_of(official, OFFICIAL, named="imdb")


def test_a_card_of_other_labels_leaves_numbers_to_the_model(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,0\nb,1\n")
    assert labels_of(path, ("bad", "good"), card="imdb") == ["bad", "good"]
