"""A card's training as a plan: base, rows and recipe, and of each figure where it comes from."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.catalog.cards import Card
from tfclf.data import (
    DataSet,
    Layout,
    Row,
    SplitFiles,
    find_data_set,
    find_split,
    split_of,
    split_rows,
)
from tfclf.data.splits import no_split
from tfclf.errors import CardError, DataError, InputError, SourceNotFoundError
from tfclf.training.base_model import base_folder
from tfclf.training.recipe import Recipe

# Where a figure of the recipe comes from.
CARD = "card"
ASSUMED = "assumed"
GIVEN = "given"
DEFAULT = "default"


@dataclass(frozen=True)
class Plan:
    """All that `train` needs to make a card's model again.

    Attributes:
      base: folder of the checkpoint to start from.
      base_source: "card", "assumed" (the card does not say from which model it was trained) or "given".
      recipe: the card's, with what was given in its place.
      sources: field of the recipe -> "card", "assumed" (in the card's recipe, but not published by it), "given" or
        "default" (tfclf's own, of which neither says anything).
      rows: to train on.
      test_rows: to measure on; None: there are none.
      layout: of the files.
    """

    card: Card
    base: Path
    base_source: str
    recipe: Recipe
    sources: Mapping[str, str]
    rows: SplitFiles
    test_rows: SplitFiles | None
    layout: Layout | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the data set's numbers."""
        return self.rows.data_set.labels

    def read_rows(self) -> Iterator[Row]:
        """The training rows. Raises: DataError, as it reads."""
        return split_rows(self.rows, self.layout)

    def read_test_rows(self) -> Iterator[Row] | None:
        """The test rows. Raises: DataError, as it reads."""
        return None if self.test_rows is None else split_rows(self.test_rows, self.layout)

    def to_dict(self) -> dict[str, Any]:
        """As metrics.json has it: names of files, not where they are."""
        recipe = self.recipe.to_dict()
        return {
            "card": self.card.name,
            "data_set": self.rows.data_set.name,
            "base_model": self.card.training.base_model,
            "base_source": self.base_source,
            "recipe_sources": dict(self.sources),
            "overridden": {
                name: {"card": value, "used": recipe[name]}
                for name, value in self.card.training.recipe.items()
                if self.sources[name] == GIVEN
            },
            "files": {
                "train": self.rows.names,
                "test": self.test_rows.names if self.test_rows else [],
            },
            "published": {**self.card.metrics, "test_rows": self.card.training.test_rows},
        }


def plan_card(
    card: Card,
    data: str | Path,
    *,
    base: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
    train_file: str | Path | None = None,
    test_file: str | Path | None = None,
    layout: Layout | None = None,
) -> Plan:
    """What training a card's model again takes: nothing is trained, no row read yet.

    >>> plan = plan_card(find("en.classify.roberta.imdb"), "aclImdb", base="roberta-base", given={"epochs": 1})
    >>> plan.recipe.learning_rate, plan.sources["learning_rate"], plan.sources["epochs"]
    (2e-05, 'assumed', 'given')

    Args:
      data: the folder of the card's data set, or a file of training rows.
      base: folder of the base model; None: where `card.training.base_model` was downloaded to.
      given: fields of Recipe, in the place of the card's.
      train_file, test_file: files of rows, in the folder or by a path of their own, where their names do not say
        what they are. Of a `data` that is a file only `test_file` says what to measure on.
      layout: of the files, where it is not recognised.
    Raises: CardError where the card's labels are not its data set's; InputError, DataError, SourceError.
    """
    given = given or {}
    data_set = find_data_set(card.training.data_set)
    if set(card.labels) != set(data_set.labels):
        raise CardError(
            f"The card {card.name} has the labels {', '.join(card.labels)}; its data set, {data_set.title}, has "
            f"{', '.join(data_set.labels)}. Correct the card's labels or its data_set."
        )
    asked, assumed = dict(card.training.recipe), set(card.training.assumed)
    known = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := sorted({*asked, *given} - known):
        raise CardError(
            f"{unknown[0]} is no part of a recipe ({card.name}). Expected: {', '.join(sorted(known))}."
        )
    recipe = Recipe(**{**asked, **given})
    rows, test = _splits(Path(data), data_set, train_file, test_file)
    return Plan(
        card=card,
        base=base_folder(card, base),
        base_source=GIVEN if base is not None else (ASSUMED if "base_model" in assumed else CARD),
        recipe=recipe,
        sources={
            name: GIVEN
            if name in given
            else (DEFAULT if name not in asked else ASSUMED if name in assumed else CARD)
            for name in recipe.to_dict()
        },
        rows=rows,
        test_rows=test,
        layout=layout,
    )


def _splits(
    data: Path, data_set: DataSet, train_file: str | Path | None, test_file: str | Path | None
) -> tuple[SplitFiles, SplitFiles | None]:
    if not data.exists():
        raise SourceNotFoundError(
            f"--data {data} does not exist. Expected the folder of {data_set.title}."
        )
    if data.is_file():
        if train_file is not None:
            raise InputError(
                f"--data {data} is a file, and --train-file {train_file} another. Give one of them."
            )
        folder, train_file, test = data.parent, data.name, None
    else:
        folder, test = data, None if test_file is not None else find_split(data, data_set, "test")
    if test_file is not None:
        test = split_of([_within(folder, test_file)], data_set)
    rows = find_split(folder, data_set, "train") if train_file is None else None
    if train_file is not None:
        rows = split_of([_within(folder, train_file)], data_set)
    if rows is None:
        raise no_split(folder, data_set, "train")
    _refuse_same(rows, test, folder)
    return rows, test


def _within(folder: Path, file: str | Path) -> Path:
    """A name is a file of the folder, a path with folders in it is as it stands, unless only the folder has it."""
    inside = folder / file
    return inside if inside.exists() or not Path(file).exists() else Path(file)


def _refuse_same(rows: SplitFiles, test: SplitFiles | None, folder: Path) -> None:
    if test is None:
        return
    both = {path.resolve() for path in rows.paths} & {path.resolve() for path in test.paths}
    if both:
        name = min(path.name for path in both)
        raise DataError(
            f"{name} of {folder} would be trained on and measured on, which measures nothing. Expected other rows: "
            f"name them with --test FILE, or give the file itself as --data to train without test rows."
        )
