"""Rows of 1 to 512 tokens, compared with the TF class run eagerly."""

from typing import Any

import numpy as np

import tfclf

# Position buckets of MPNet end at 16, 32 and 64 tokens.
_LENGTHS = (1, 2, 3, 7, 64, 65, 511, 512)
_SPECIAL_IDS, _ORDINARY_IDS = 110, 2900


def compare_lengths(classifier: tfclf.Classifier, model: Any) -> None:
    """Compare logits for each length, each in a batch of its own, within 1e-5."""
    dice = np.random.default_rng(0)
    for length in (length for length in _LENGTHS if length <= classifier.max_length):
        ids = dice.integers(_SPECIAL_IDS, _ORDINARY_IDS, (2, length)).astype(np.int32)
        mask = np.ones_like(ids)
        expected = model({"input_ids": ids, "attention_mask": mask}, training=False).logits
        logits = classifier.call_encode(ids, mask)["logits"]
        np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0, err_msg=f"{length} tokens")
