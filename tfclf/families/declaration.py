"""What a family is: where the TF class keeps each number that the lean engine needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConfigKeys:
    """The names under which config.json gives the encoder's sizes; by default BERT's.

    `layer_norm_epsilon` is None where the TF class has it in its code.
    """

    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    width: str = "hidden_size"
    inner_width: str = "intermediate_size"
    activation: str = "hidden_act"
    positions: str = "max_position_embeddings"
    layer_norm_epsilon: str | None = "layer_norm_eps"


@dataclass(frozen=True)
class Weights:
    """Variable names of the TF class, below its own scope; `{layer}` counts from 0.

    A dense layer is named by its scope (it holds `kernel` and `bias`), a layer norm likewise (`gamma`,
    `beta`); embeddings are named to the variable. `token_type_embeddings` is None where the family has none;
    `embeddings_projection` is used where the checkpoint's widths ask for one.
    """

    word_embeddings: str
    position_embeddings: str
    embeddings_norm: str
    query: str
    key: str
    value: str
    attention_output: str
    attention_norm: str
    inner: str
    output: str
    output_norm: str
    head: tuple[str, ...]
    token_type_embeddings: str | None = None
    embeddings_projection: str | None = None


@dataclass(frozen=True)
class Family:
    """One model_type.

    Attributes:
      model_type: as config.json has it.
      tf_class: the original, in transformers 4.
      config_keys, weights: where its sizes and numbers are.
      head_activations: after each dense layer of `weights.head`, which starts from the first token.
      layer_norm_epsilon: where config.json does not give it.
      config_defaults: sizes that config.json may leave out, by its key.
    """

    model_type: str
    tf_class: str
    config_keys: ConfigKeys
    weights: Weights
    head_activations: tuple[str, ...]
    layer_norm_epsilon: float = 1e-12
    config_defaults: Mapping[str, object] = field(default_factory=dict)
