"""What a family is: where the TF class keeps each number that the lean engine needs."""

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
class SharedLayers:
    """Layers that take turns: `layers` / `groups` passes go through each group, and a pass through all of its layers.

    Both are names in config.json.
    """

    groups: str = "num_hidden_groups"
    layers_in_group: str = "inner_group_num"


@dataclass(frozen=True)
class Weights:
    """Variable names of the TF class, below its own scope; `{layer}` counts from 0.

    With shared layers `{group}` and `{layer}`, the layer in it, count from 0.

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
      config_keys, weights: where its sizes and numbers are; without weights the lean engine cannot run it.
      head_activations: after each dense layer of `weights.head`, which starts from the first token.
      layer_norm_epsilon: where config.json does not give it.
      shared_layers: None where every layer has weights of its own.
      position_padding_id: None where a token's position is its place in the row, from 0. Else the first token has
        this id + 1; a token of this very id has it for its position, and those after it do not count it.
    """

    model_type: str
    tf_class: str
    config_keys: ConfigKeys = field(default_factory=ConfigKeys)
    weights: Weights | None = None
    head_activations: tuple[str, ...] = ()
    layer_norm_epsilon: float = 1e-12
    shared_layers: SharedLayers | None = None
    position_padding_id: int | None = None

    def padding_side(self, side: str) -> str:
        """Where rows are padded whose tokenizer says `side`: a head that reads the first token wants none there."""
        return "right" if self.head_activations else side

    def rows_of(self, positions: int) -> int:
        """How long a row may be, where there are embeddings for so many `positions`."""
        return positions - (0 if self.position_padding_id is None else self.position_padding_id + 1)
