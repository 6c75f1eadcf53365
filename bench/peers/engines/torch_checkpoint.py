"""Random weights for a checkpoint, in the format of torch, which all contenders can read."""

from pathlib import Path


def write_weights(folder: Path, *, seed: int = 0) -> None:
    """Add model.safetensors to a folder that has config.json.

    Biases and layer norms are random, too: with initial zeros and ones some fusions do not match,
    and a bias that an engine forgets would not show.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.02)
    model.save_pretrained(folder)
