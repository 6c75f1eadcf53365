"""Counts the programs that XLA compiles; run by tests/graph/engines/lean/test_xla.py as a process of its own.

XLA itself writes the files that are counted, and reads the flag for that, XLA_FLAGS, once a process.
"""

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import tfclf
from tfclf.saved_model.buckets import Ladder

LADDER = Ladder((8, 64), (1, 16))


def count(checkpoint: Path, folder: Path, dump: Path, batches: int) -> Mapping[str, float]:
    """The number of programs after each step, and the largest difference between logits with XLA and without.

    Args:
      checkpoint: of a model whose rows hold up to 64 tokens.
      folder: for an export.
      dump: where XLA_FLAGS lets XLA write one file for each program, before it optimizes it.
      batches: how many random ones to run.
    """

    def programs() -> int:
        return len(list(dump.glob("*.before_optimizations.txt")))

    path = tfclf.export(checkpoint, folder, ladder=LADDER)
    plain, xla = tfclf.load(path, xla=False), tfclf.load(path, xla=True)
    plain.predict(["news"])
    found: dict[str, float] = {"without XLA": programs()}
    xla.warm_up()
    found["warmed up"] = programs()
    for rows, length in LADDER.usual:
        xla(["news " * (length - 3)] * rows)
    found["usual batches"] = programs()
    dice = random.Random(0)
    differences = [0.0]
    for _ in range(batches):
        longest = dice.choice((1, 10, 40, 100))
        texts = ["news " * dice.randint(0, longest) for _ in range(dice.randint(0, 70))]
        difference = np.abs(xla(texts)["logits"].numpy() - plain(texts)["logits"].numpy())
        differences.append(float(difference.max(initial=0)))
    return found | {"random batches": programs(), "largest difference": max(differences)}


if __name__ == "__main__":
    checkpoint, folder, dump = map(Path, sys.argv[1:4])
    programs = count(checkpoint, folder, dump, batches=int(sys.argv[4]))
    sys.stdout.write(json.dumps(programs))
