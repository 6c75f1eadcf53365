"""Training rows: which are held back, and how the rest is batched."""

from pathlib import Path

import numpy
import pytest

from tests.training.tiny import LABELS
from tfclf.data import Row
from tfclf.errors import DataError
from tfclf.training import train
from tfclf.training.run import _agree_on_numbers, _read_rows
from tfclf.training.split import split


def test_every_label_is_held_back_in_the_same_share(rows: list[Row]) -> None:
    found = split(rows[:60], LABELS, share=0.2, seed=1)
    assert sorted(row.label or "" for row in found.held_back) == ["neg"] * 6 + ["pos"] * 6


def test_the_split_is_a_partition(rows: list[Row]) -> None:
    found = split(rows, LABELS, share=0.2, seed=1)
    assert sorted([*found.train, *found.held_back], key=str) == sorted(rows, key=str)


def test_the_same_seed_holds_back_the_same_rows(rows: list[Row]) -> None:
    assert split(rows, LABELS, share=0.2, seed=1) == split(rows, LABELS, share=0.2, seed=1)
    assert split(rows, LABELS, share=0.2, seed=1) != split(rows, LABELS, share=0.2, seed=2)


def test_rows_of_one_text_stay_on_one_side(rows: list[Row]) -> None:
    found = split([*rows, *rows], LABELS, share=0.3, seed=1)
    assert not {row.text for row in found.train} & {row.text for row in found.held_back}


def test_a_label_with_one_text_cannot_be_split() -> None:
    with pytest.raises(DataError, match="1 different texts with the label 'pos'"):
        split(
            [Row("a", "neg"), Row("b", "neg"), Row("c", "pos"), Row("c", "pos")],
            LABELS,
            share=0.5,
            seed=0,
        )


def test_an_epoch_has_every_row_once() -> None:
    from tfclf.training.batches import order

    batches = order(numpy.arange(1_003) % 50, batch_size=8, seed=3, epoch=0)
    assert sorted(numpy.concatenate(batches)) == list(range(1_003))


def test_the_order_follows_seed_and_epoch() -> None:
    from tfclf.training.batches import order

    def flat(**chosen: int) -> list[int]:
        return numpy.concatenate(order(numpy.arange(100) % 9, batch_size=8, **chosen)).tolist()  # type: ignore[no-any-return]

    assert flat(seed=3, epoch=1) == flat(seed=3, epoch=1)
    assert flat(seed=3, epoch=1) != flat(seed=3, epoch=2)
    assert flat(seed=3, epoch=1) != flat(seed=4, epoch=1)


def test_rows_of_like_length_share_a_batch() -> None:
    from tfclf.training.batches import order

    lengths = numpy.random.default_rng(0).integers(5, 96, 3_000)
    batches = order(lengths, batch_size=32, seed=0, epoch=0)
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded < 1.05 * lengths.sum()


def test_batches_hold_the_reference_ids_padded_and_masked(base: Path) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.batches import dataset, encode

    tokenizer = open_base(base, labels=LABELS).tokenizer
    texts = ["good film", "the film was very very good and it is great", ""]
    encoded = encode(tokenizer, texts, [1, 1, 0], max_length=10)
    [(ids, mask, labels)] = dataset(
        encoded, [numpy.array([2, 1, 0])], pad_id=tokenizer.pad_token_id
    )
    expected = tokenizer(texts[::-1], padding="max_length", truncation=True, max_length=10)
    assert ids.numpy().tolist() == expected["input_ids"]
    assert mask.numpy().tolist() == expected["attention_mask"]
    assert labels.numpy().tolist() == [0, 1, 1]


def test_lone_surrogates_are_tokenized_as_invalid_text(base: Path) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.batches import encode

    tokenizer = open_base(base, labels=LABELS).tokenizer
    encoded = encode(tokenizer, ["good \ud800 film"], [1], max_length=10)
    assert encoded.ids.to_list() == [tokenizer("good \ufffd\ufffd\ufffd film")["input_ids"]]


def test_the_meaning_of_numbers_is_kept(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,1\nb,2\n")
    numbers: dict[str, str] = {}
    _read_rows(tmp_path / "rows.csv", ("neg", "pos"), None, numbers)
    assert numbers == {"1": "neg", "2": "pos"}


def test_numbers_that_mean_other_labels_in_the_test_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"read as 0 neg, 1 pos; .*read as 1 neg, 2 pos"):
        _agree_on_numbers({"0": "neg", "1": "pos"}, {"1": "neg", "2": "pos"})


@pytest.mark.parametrize("row", [Row(None, "pos"), ("a text", "pos")])  # type: ignore[arg-type]
def test_a_row_that_is_none_is_named(row: Row, base: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Row 1 is .*; expected a Row with a text"):
        train(base, [row], tmp_path / "model", labels=LABELS, progress=False)
