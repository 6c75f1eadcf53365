"""An encoder's sizes, read from config.json under the names that its family declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.errors import CheckpointError
from tfclf.families import Family

ACTIVATIONS = ("gelu", "gelu_new", "relu")


@dataclass(frozen=True)
class LayerPlace:
    """Which of the TF class's layers: the `layer`-th of its group, or of all where there are no groups."""

    layer: int
    group: int = 0


@dataclass(frozen=True)
class Sizes:
    """What config.json says of the encoder.

    Attributes:
      passes: the layer for each pass through the encoder, in order; one that is shared comes more than once.
      heads: of attention.
      width, inner_width: of the residual stream, and inside the feed-forward part.
      activation: inside the feed-forward part.
    """

    passes: tuple[LayerPlace, ...]
    heads: int
    width: int
    inner_width: int
    activation: str
    layer_norm_epsilon: float

    @property
    def head_width(self) -> int:
        """Of each head's part of the residual stream's width."""
        return self.width // self.heads

    @classmethod
    def of(cls, family: Family, config: Mapping[str, Any], *, folder: Path) -> "Sizes":
        """Reads a config that leaves no size out.

        Raises: CheckpointError for a size that is none, or for what the encoder cannot take.
        """
        keys = family.config_keys

        def size(key: str) -> int:
            found = config.get(key)
            if isinstance(found, bool) or not isinstance(found, int) or found < 1:
                raise CheckpointError(
                    f"{folder}/config.json: {key} is {found!r}; expected a whole number above 0."
                )
            return found

        reason = unfit(family, config)
        if reason:
            raise CheckpointError(
                f"{folder}: the lean engine cannot run it: {reason}. Use engine='original'."
            )
        shared = family.shared_layers
        sizes = cls(
            passes=_passes(size(keys.layers), size(shared.groups), size(shared.layers_in_group))
            if shared
            else tuple(LayerPlace(layer) for layer in range(size(keys.layers))),
            heads=size(keys.heads),
            width=size(keys.width),
            inner_width=size(keys.inner_width),
            activation=config[keys.activation],
            layer_norm_epsilon=float(
                config.get(keys.layer_norm_epsilon or "", family.layer_norm_epsilon)
            ),
        )
        if sizes.width % sizes.heads:
            raise CheckpointError(
                f"{folder}/config.json: {keys.width} {sizes.width} is no multiple of {keys.heads} {sizes.heads}."
            )
        return sizes


def unfit(family: Family, config: Mapping[str, Any]) -> str | None:
    """Why the lean engine cannot run a model that its TF class can; None where it can."""
    if family.weights is None:
        return f"no family is declared for its model_type {family.model_type!r}"
    if config.get("is_decoder"):
        return "is_decoder is true in config.json, and the lean engine reads in both directions"
    activation = config.get(family.config_keys.activation)
    if activation not in ACTIVATIONS:
        return (
            f"{family.config_keys.activation} is {activation!r} in config.json, and the lean engine knows "
            f"{', '.join(ACTIVATIONS)}"
        )
    return None


def _passes(layers: int, groups: int, layers_in_group: int) -> tuple[LayerPlace, ...]:
    """Source: transformers 4, TFAlbertTransformer.call, the division of floats included."""
    return tuple(
        LayerPlace(layer, group=int(index / (layers / groups)))
        for index in range(layers)
        for layer in range(layers_in_group)
    )
