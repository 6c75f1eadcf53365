"""A report beside a card's figures."""

from dataclasses import replace

import pytest

from tests.evaluation.answers import LABELS, rows, says
from tfclf.catalog.cards import Card, cards, find
from tfclf.evaluation import evaluate
from tfclf.evaluation.published import Published, compare_with_card

IMDB = "roberta_base_sequence_classifier_imdb"


def beside(card: Card, *, count: int = 4) -> Published:
    truth = ["neg"] * (count - 1) + ["pos"]
    return compare_with_card(
        evaluate(says(["neg"] * count), rows(truth), LABELS, batch_size=2), card
    )


def test_a_difference_is_here_less_published() -> None:
    (accuracy,) = [one for one in beside(find(IMDB)).figures if one.metric == "eval_accuracy"]
    assert (accuracy.here, accuracy.published) == (0.75, 0.95464)
    assert accuracy.difference == pytest.approx(0.75 - 0.95464)


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_every_figure_of_a_card_has_one_here(card: Card) -> None:
    found = {one.metric: one.published for one in beside(card).figures}
    assert {name: found[name] for name in card.metrics} == dict(card.metrics)


def test_figures_of_a_label_stand_beside_ours() -> None:
    card = replace(
        find(IMDB), metrics_by_class={"pos": {"precision": 0.9, "recall": 0.5, "support": 7}}
    )
    found = {
        one.metric: (one.here, one.published)
        for one in beside(card).figures
        if one.metric.startswith("pos")
    }
    assert found == {"pos: precision": (0.0, 0.9), "pos: recall": (0.0, 0.5)}


def test_another_number_of_rows_is_remarked() -> None:
    remark = beside(find(IMDB)).remarks[0]
    assert "25,000 rows" in remark
    assert "4 were evaluated" in remark


def test_the_same_number_of_rows_is_no_proof() -> None:
    card = find(IMDB)
    found = beside(replace(card, training=replace(card.training, test_rows=4)))
    assert "a number cannot tell" in found.remarks[0]


def test_other_labels_are_remarked() -> None:
    remarks = beside(replace(find(IMDB), labels=("bad", "good"))).remarks
    assert any("the card has bad, good; the model has neg, pos" in remark for remark in remarks)


def test_the_same_labels_in_another_order_are_not() -> None:
    assert not any(
        "labels" in remark for remark in beside(replace(find(IMDB), labels=("pos", "neg"))).remarks
    )


def test_the_cards_own_notes_are_remarked() -> None:
    assert beside(replace(find(IMDB), notes="a\nb")).remarks[-1] == "a b"
