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
    """One of the TF class's layers: the `layer`-th of its group, or of all without groups."""

    layer: int
    group: int = 0


@dataclass(frozen=True)
class Sizes:
    """An encoder as config.json describes it.

    Attributes:
      passes: the layer for each pass through the encoder, in order; a shared layer comes
        repeatedly.
      heads: of attention.
      hidden_size, intermediate_size: of the hidden states, and inside the feed-forward part.
      activation: inside the feed-forward part.
    """

    passes: tuple[LayerPlace, ...]
    heads: int
    hidden_size: int
    intermediate_size: int
    activation: str
    layer_norm_epsilon: float

    @property
    def head_size(self) -> int:
        """The part of the hidden size that each head has."""
        return self.hidden_size // self.heads

    @classmethod
    def of(cls, family: Family, config: Mapping[str, Any], *, folder: Path) -> "Sizes":
        """Read a config that leaves no size out.

        Raises: CheckpointError for a value that is no size, or that the encoder cannot take.
        """
        keys = family.config_keys

        def read_size(key: str) -> int:
            size = config.get(key)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise CheckpointError(
                    f"{folder}/config.json: {key} is {size!r}; expected a whole number above 0."
                )
            return size

        reason = explain_not_lean(family, config)
        if reason:
            raise CheckpointError(
                f"{folder}: the lean engine cannot run it: {reason}. Use engine='original'."
            )
        layers = read_size(keys.layers)
        shared = family.shared_layers
        if shared:
            passes = _order_passes(
                layers, read_size(shared.groups), read_size(shared.layers_in_group)
            )
        else:
            passes = tuple(LayerPlace(layer) for layer in range(layers))
        sizes = cls(
            passes=passes,
            heads=read_size(keys.heads),
            hidden_size=read_size(keys.hidden_size),
            intermediate_size=read_size(keys.intermediate_size),
            activation=config[keys.activation],
            layer_norm_epsilon=float(
                config.get(keys.layer_norm_epsilon or "", family.layer_norm_epsilon)
            ),
        )
        if sizes.hidden_size % sizes.heads:
            raise CheckpointError(
                f"{folder}/config.json: {keys.hidden_size} {sizes.hidden_size} is no multiple of "
                f"{keys.heads} {sizes.heads}."
            )
        return sizes


def explain_not_lean(family: Family, config: Mapping[str, Any]) -> str | None:
    """Explain why only the TF class can run a model; None if the lean engine can.

    >>> from tfclf.families import bert
    >>> explain_not_lean(bert.FAMILY, {"hidden_act": "silu"})
    "hidden_act is 'silu' in config.json, and the lean engine knows gelu, gelu_new, relu"
    >>> explain_not_lean(bert.FAMILY, {"hidden_act": "gelu"})
    """
    if family.weights is None:
        return f"no family is declared for its model_type {family.model_type!r}"
    if config.get("is_decoder"):
        return "is_decoder is true in config.json, and the lean engine reads in both directions"
    key = family.config_keys.activation
    activation = config.get(key)
    if activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        return f"{key} is {activation!r} in config.json, and the lean engine knows {known}"
    return None


def _order_passes(layers: int, groups: int, layers_in_group: int) -> tuple[LayerPlace, ...]:
    """Return the layer of each pass, if groups of layers take turns.

    Five passes through two groups of one layer each:

    >>> [place.group for place in _order_passes(5, groups=2, layers_in_group=1)]
    [0, 0, 0, 1, 1]

    Source: transformers 4, TFAlbertTransformer.call, the division of floats included.
    """
    return tuple(
        LayerPlace(layer, group=int(index / (layers / groups)))
        for index in range(layers)
        for layer in range(layers_in_group)
    )
