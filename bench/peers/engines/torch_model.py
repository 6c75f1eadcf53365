"""The model class of transformers on torch, eager, with its fused attention."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.engine import Array, Classify, Material, Tokenizer, batches


def load(material: Material, *, precision: str) -> Classify:
    import torch

    model = read_model(material.checkpoint, getattr(torch, precision))
    tokenizer = Tokenizer(material.checkpoint)

    def classify(texts: Sequence[str]) -> Array:
        with torch.inference_mode():
            return np.concatenate(
                [
                    model(**tokenizer.pad(batch, "pt")).logits.float().numpy()
                    for batch in batches(texts)
                ]
            )

    return classify


def read_model(checkpoint: Path, data_type: Any = None) -> Any:
    """Return the checkpoint's model for inference; by default in float32."""
    import torch
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(
        checkpoint,
        dtype=data_type or torch.float32,
        attn_implementation="sdpa",
        local_files_only=True,
    ).eval()
