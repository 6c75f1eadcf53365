"""The data sets that cards name, as data: their labels by number, and the names of their files.

A new data set is a new record here. `splits` finds and reads the files.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tfclf.errors import DataError


@dataclass(frozen=True)
class DataSet:
    """A data set as published.

    Attributes:
      name: its name in cards.
      title: its name for people.
      labels: in the order of the data set's numbers, which is the order of the head's outputs.
      address: its web page.
      spellings: other names of the labels, in lower case, to the label.
      official_first_number: number of the first label in the publishers' own CSV files, which have
        no header. The hub's conversions count from 0. Both count only if the numbers in a file
        leave it open.
      stems: names of a split's files without suffix, best first: "train" -> train.csv and so on.
      subfolders: folders of a downloaded repository or archive that may hold the files.
      ignored_folders: folders of a split in class folders that hold no labelled texts.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    address: str
    spellings: Mapping[str, str] = field(default_factory=dict)
    official_first_number: int = 0
    stems: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"train": ("train",), "test": ("test",)}
    )
    subfolders: tuple[str, ...] = ("data", "default")
    ignored_folders: tuple[str, ...] = ()

    def label_named(self, written: str) -> str | None:
        """Return the label that a name stands for, in any case; None if it stands for none.

        >>> DATA_SETS["imdb"].label_named(" Positive")
        'pos'
        """
        by_name = {**self.spellings, **{label.lower(): label for label in self.labels}}
        return by_name.get(written.strip().lower())


_NEGATIVE_POSITIVE = {"negative": "neg", "positive": "pos"}

_ALL = (
    DataSet(
        name="ag_news",
        title="AG News",
        # Zhang et al. 2015, arXiv:1509.01626; classes.txt of the official archive.
        labels=("World", "Sports", "Business", "Sci/Tech"),
        address="https://huggingface.co/datasets/fancyzhx/ag_news",
        official_first_number=1,
        stems={"train": ("train", "train_subset"), "test": ("test",)},
        subfolders=("data", "default", "ag_news_csv"),
    ),
    DataSet(
        name="imdb",
        title="IMDB",
        # Maas et al. 2011, ACL P11-1015.
        labels=("neg", "pos"),
        address="https://ai.stanford.edu/~amaas/data/sentiment/",
        spellings=_NEGATIVE_POSITIVE,
        subfolders=("data", "plain_text", "aclImdb"),
        ignored_folders=("unsup",),
    ),
    DataSet(
        name="allocine",
        title="AlloCiné",
        # Blard 2020, github.com/TheophileBlard/french-sentiment-analysis-with-bert.
        labels=("neg", "pos"),
        address="https://huggingface.co/datasets/tblard/allocine",
        spellings={**_NEGATIVE_POSITIVE, "négatif": "neg", "positif": "pos"},
        subfolders=("data", "allocine"),
    ),
)
DATA_SETS: Mapping[str, DataSet] = {data_set.name: data_set for data_set in _ALL}


def find_data_set(name: str) -> DataSet:
    """Return the data set of that name.

    >>> find_data_set("ag_news").labels
    ('World', 'Sports', 'Business', 'Sci/Tech')

    Raises: DataError, which suggests the nearest name.
    """
    if name in DATA_SETS:
        return DATA_SETS[name]
    near = difflib.get_close_matches(name.lower(), DATA_SETS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise DataError(
        f"No data set is called {name!r}.{hint} Known: {', '.join(sorted(DATA_SETS))}. "
        f"To add one, see tfclf/data/data_sets.py."
    )
