"""A card's training as a plan: base, rows and recipe, and the source of each value."""

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
from tfclf.data.splits import missing_split
from tfclf.errors import CardError, DataError, InputError, SourceNotFoundError
from tfclf.training.base_model import find_base_folder
from tfclf.training.recipe import Recipe

# Sources of a value of the recipe.
CARD = "card"
ASSUMED = "assumed"
GIVEN = "given"
DEFAULT = "default"


@dataclass(frozen=True)
class Plan:
    """Everything that `train` needs to reproduce a card's model.

    Attributes:
      base: folder of the checkpoint to start from.
      base_source: "card", "assumed" (the card does not name its base model) or "given".
      recipe: the card's, with given values in place of its own.
      sources: field of the recipe -> "card", "assumed" (in the card's recipe, but not published by
        it), "given" or "default" (tfclf's own, because neither the card nor the caller sets it).
      rows: to train on.
      test_rows: to measure on; None if there are none.
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
        """The labels in the order of the data set's numbers."""
        return self.rows.data_set.labels

    def read_rows(self) -> Iterator[Row]:
        """Read the training rows. Raises: DataError while reading."""
        return split_rows(self.rows, self.layout)

    def read_test_rows(self) -> Iterator[Row] | None:
        """Read the test rows. Raises: DataError while reading."""
        return None if self.test_rows is None else split_rows(self.test_rows, self.layout)

    def to_dict(self) -> dict[str, Any]:
        """Return the part of metrics.json on the plan: names of files, without their folders."""
        recipe = self.recipe.to_dict()
        overridden = {}
        for name, value in self.card.training.recipe.items():
            if self.sources[name] == GIVEN:
                overridden[name] = {"card": value, "used": recipe[name]}
        return {
            "card": self.card.name,
            "data_set": self.rows.data_set.name,
            "base_model": self.card.training.base_model,
            "base_source": self.base_source,
            "recipe_sources": dict(self.sources),
            "overridden": overridden,
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
    """Plan to train a card's model again. Nothing is trained and no row is read yet.

        card = find("en.classify.roberta.imdb")
        plan = plan_card(card, "aclImdb", base="roberta-base", given={"epochs": 1})
        plan.recipe.learning_rate, plan.sources["learning_rate"]   # 2e-05, 'assumed'
        plan.sources["epochs"]                                     # 'given'

    Args:
      data: the folder of the card's data set, or a file of training rows.
      base: folder of the base model; None: the pulled `card.training.base_model`.
      given: fields of Recipe that replace the card's.
      train_file, test_file: files of rows, if their names do not show their split: in the folder,
        or paths of their own. If `data` is a file, only `test_file` gives rows to measure on.
      layout: of the files, if it is not recognised.
    Raises: CardError if the card's labels are not its data set's; InputError, DataError,
      SourceError.
    """
    given = given or {}
    data_set = find_data_set(card.training.data_set)
    if set(card.labels) != set(data_set.labels):
        raise CardError(
            f"The card {card.name} has the labels {', '.join(card.labels)}; its data set, "
            f"{data_set.title}, has {', '.join(data_set.labels)}. "
            f"Correct the card's labels or its data_set."
        )
    published = card.training.recipe
    known = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := sorted({*published, *given} - known):
        raise CardError(
            f"{unknown[0]} is no part of a recipe ({card.name}). "
            f"Expected: {', '.join(sorted(known))}."
        )
    recipe = Recipe(**{**published, **given})
    rows, test = _find_splits(Path(data), data_set, train_file, test_file)
    return Plan(
        card=card,
        base=find_base_folder(card, base),
        base_source=_source_of("base_model", card, given=base is not None),
        recipe=recipe,
        sources={name: _source_of(name, card, given=name in given) for name in recipe.to_dict()},
        rows=rows,
        test_rows=test,
        layout=layout,
    )


def _source_of(name: str, card: Card, *, given: bool) -> str:
    """Return the source of a field of the recipe, or of "base_model"."""
    if given:
        return GIVEN
    if name not in card.training.recipe and name != "base_model":
        return DEFAULT
    return ASSUMED if name in card.training.assumed else CARD


def _find_splits(
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
        folder, test = data, None
        if test_file is None:
            test = find_split(data, data_set, "test")
    if test_file is not None:
        test = split_of([_resolve_file(folder, test_file)], data_set)
    rows = find_split(folder, data_set, "train") if train_file is None else None
    if train_file is not None:
        rows = split_of([_resolve_file(folder, train_file)], data_set)
    if rows is None:
        raise missing_split(folder, data_set, "train")
    _refuse_same(rows, test, folder)
    return rows, test


def _resolve_file(folder: Path, file: str | Path) -> Path:
    """Return the file inside the folder if it is there, or else the path as given if it exists."""
    inside = folder / file
    return inside if inside.exists() or not Path(file).exists() else Path(file)


def _refuse_same(rows: SplitFiles, test: SplitFiles | None, folder: Path) -> None:
    if test is None:
        return
    common = {path.resolve() for path in rows.paths} & {path.resolve() for path in test.paths}
    if common:
        name = min(path.name for path in common)
        raise DataError(
            f"{name} of {folder} would be trained on and measured on, which measures nothing. "
            f"Expected other rows: name them with --test FILE, or give the file itself as --data "
            f"to train without test rows."
        )
