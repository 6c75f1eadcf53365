"""Are explained words worth something? Remove the five strongest, and five random ones.

    python -m bench.explain MODEL --rows 500

The rows are the first of AG News' official test split, in file order. For each, the five words with
the largest effect on the predicted label are removed, and in turn five words drawn at random. The
figure is by how much the predicted label's probability falls, on average.
Source of the test: DeYoung et al. 2020, ERASER, "comprehensiveness", arXiv:1911.03429.
"""

import argparse
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tfclf
from samples import corpora
from samples.checkpoints import DEMO, ROOT
from tfclf.explanation import Explanation, Word

_WORDS = 5


class Falls(NamedTuple):
    """Means over the texts: by how much the predicted label's probability falls."""

    strongest: float
    at_random: float


def measure_falls(
    classifier: tfclf.Classifier, texts: Sequence[str], *, count: int = _WORDS, seed: int = 0
) -> Falls:
    """Remove `count` words of each text, the strongest and random ones, and predict what is left.

    Texts with no more than `count` words are left out.
    """
    dice = random.Random(seed)
    explained = [one for one in classifier.explain(list(texts)) if len(one.words) > count]
    strongest = [sorted(one.words, key=lambda word: -word.effect)[:count] for one in explained]
    drawn = [dice.sample(one.words, count) for one in explained]
    return Falls(
        _mean_fall(classifier, explained, strongest), _mean_fall(classifier, explained, drawn)
    )


def _mean_fall(
    classifier: tfclf.Classifier,
    explained: Sequence[Explanation],
    removed: Sequence[Sequence[Word]],
) -> float:
    shorter = [remove(one.text, words) for one, words in zip(explained, removed, strict=True)]
    falls = []
    for before, after in zip(explained, classifier.predict(shorter), strict=True):
        label = before.prediction.label
        falls.append(before.prediction.score - (after.probabilities or {})[label])
    return sum(falls) / len(falls)


def remove(text: str, words: Sequence[Word]) -> str:
    """Remove words from a text, and the white space that is then doubled.

    >>> remove("Late goal wins", [Word("goal", 5, 9, 0.1, {}), Word("Late", 0, 4, 0.2, {})])
    'wins'
    """
    for word in sorted(words, key=lambda word: -word.start):
        text = text[: word.start] + text[word.end :]
    return " ".join(text.split())


def main() -> None:
    """Measure the model of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model", nargs="?", default=str(DEMO), help="a classifier of AG News")
    parser.add_argument("--rows", type=int, default=500)
    options = parser.parse_args()
    shared = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))
    texts = corpora.ag_news(shared)[: options.rows]
    strongest, at_random = measure_falls(tfclf.load(options.model), texts)
    print(f"{len(texts)} rows, {_WORDS} words removed from each")
    print(f"the predicted label's probability falls by {strongest:.3f} without the strongest")
    print(f"                                       and {at_random:.3f} without random ones")
    print(f"ratio {strongest / at_random:.1f}")


if __name__ == "__main__":
    main()
