"""A count of the programs that XLA compiles; test_xla.py runs it as a process of its own.

XLA itself writes the files that are counted. It reads the flag for that, XLA_FLAGS, once a process.
"""

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import tfclf
from tests.signatures import few_signatures
from tfclf.saved_model.buckets import Ladder

LADDER = Ladder((8, 64), (1, 16))


def count(checkpoint: Path, folder: Path, dump: Path, batches: int) -> Mapping[str, float]:
    """Count programs after each step, and find the largest logit difference with and without XLA.

    Args:
      checkpoint: a model whose rows hold up to 64 tokens.
      folder: for an export.
      dump: the folder in XLA_FLAGS; XLA writes a file there for each program before optimizing it.
      batches: the number of random batches to run.
    """

    def count_programs() -> int:
        return len(list(dump.glob("*.before_optimizations.txt")))

    with few_signatures("serving_xla", "detail", "detail_xla", "tokenize"):
        path = tfclf.export(checkpoint, folder, ladder=LADDER)
    plain = tfclf.load(path, xla=False)
    xla = tfclf.Classifier(plain._functions, plain.manifest, owner=plain, xla=True)
    plain.predict(["news"])
    counts: dict[str, float] = {"without XLA": count_programs()}
    xla.warm_up()
    counts["warmed up"] = count_programs()
    for rows, length in LADDER.usual:
        xla(["news " * (length - 3)] * rows)
    counts["usual batches"] = count_programs()
    dice = random.Random(0)
    differences = [0.0]
    for _ in range(batches):
        longest = dice.choice((1, 10, 40, 100))
        texts = ["news " * dice.randint(0, longest) for _ in range(dice.randint(0, 70))]
        difference = np.abs(xla(texts)["logits"].numpy() - plain(texts)["logits"].numpy())
        differences.append(float(difference.max(initial=0)))
    return counts | {"random batches": count_programs(), "largest difference": max(differences)}


if __name__ == "__main__":
    checkpoint, folder, dump = map(Path, sys.argv[1:4])
    counts = count(checkpoint, folder, dump, batches=int(sys.argv[4]))
    sys.stdout.write(json.dumps(counts))
