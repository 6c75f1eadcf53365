"""An encoder's sizes, read from config.json under the names that its family declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.errors import CheckpointError
from tfclf.families import Family

ACTIVATIONS = ("gelu", "gelu_new", "relu")


@dataclass(frozen=True)
class Sizes:
    """layers, heads, width (of the residual stream), inner_width (of the feed-forward part), positions."""

    layers: int
    heads: int
    width: int
    inner_width: int
    positions: int
    activation: str
    layer_norm_epsilon: float

    @classmethod
    def of(cls, family: Family, config: Mapping[str, Any], *, folder: Path) -> "Sizes":
        """Reads config.json. Raises: CheckpointError for a size that is missing or that the encoder cannot take."""
        keys = family.config_keys
        given = {**family.config_defaults, **config}

        def size(key: str) -> int:
            found = given.get(key)
            if not isinstance(found, int) or found < 1:
                raise CheckpointError(f"{folder}/config.json: {key} is {found!r}; expected a whole number above 0.")
            return found

        sizes = cls(
            layers=size(keys.layers),
            heads=size(keys.heads),
            width=size(keys.width),
            inner_width=size(keys.inner_width),
            positions=size(keys.positions),
            activation=given[keys.activation],
            layer_norm_epsilon=float(given.get(keys.layer_norm_epsilon or "", family.layer_norm_epsilon)),
        )
        if sizes.width % sizes.heads:
            raise CheckpointError(
                f"{folder}/config.json: {keys.width} {sizes.width} is no multiple of {keys.heads} {sizes.heads}."
            )
        if config.get("is_decoder"):
            raise CheckpointError(
                f"{folder}/config.json: is_decoder is true, and the lean engine reads in both directions. "
                f"Use engine='original'."
            )
        if sizes.activation not in ACTIVATIONS:
            raise CheckpointError(
                f"{folder}/config.json: {keys.activation} is {sizes.activation!r}; the lean engine knows "
                f"{', '.join(ACTIVATIONS)}. Use engine='original', which takes any."
            )
        return sizes
