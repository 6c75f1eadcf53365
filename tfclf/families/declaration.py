"""The declaration of a family: where the TF class keeps each number that the lean engine needs."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConfigKeys:
    """The names under which config.json gives the encoder's sizes; by default BERT's.

    `layer_norm_epsilon` is None if the TF class has the value in its code.
    """

    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    hidden_size: str = "hidden_size"
    intermediate_size: str = "intermediate_size"
    activation: str = "hidden_act"
    positions: str = "max_position_embeddings"
    layer_norm_epsilon: str | None = "layer_norm_eps"


@dataclass(frozen=True)
class SharedLayers:
    """Groups of layers that several passes share; both attributes are names in config.json.

    `layers` / `groups` passes go through each group, and each pass runs all layers of its group.
    """

    groups: str = "num_hidden_groups"
    layers_in_group: str = "inner_group_num"


@dataclass(frozen=True)
class Weights:
    """Variable names of the TF class, without its own scope in front.

    `{layer}` counts from 0. With shared layers `{group}` counts from 0, and `{layer}` is the layer
    in it.

    A dense layer is named by its scope, which holds `kernel` and `bias`; a layer norm likewise,
    with `gamma` and `beta`. Embeddings are named down to the variable. `token_type_embeddings` is
    None if the family has none. `embeddings_projection` is used if the checkpoint has a variable of
    that name.
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
      model_type: as in config.json.
      tf_class: the original class, in transformers 4.
      config_keys, weights: the names of its sizes and variables; without weights the lean engine
        cannot run it.
      head_activations: after each dense layer of `weights.head`; the head starts from the first
        token.
      layer_norm_epsilon: the value if config.json gives none.
      shared_layers: None if every layer has weights of its own.
      position_padding_id: None if a token's position is its index in the row. Otherwise positions
        count from this id + 1, and a token with this very id has it as its position and is not
        counted.
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
        """Return the side on which rows are padded, if the tokenizer says `side`.

        A head that reads the first token needs it in the first column.
        """
        return "right" if self.head_activations else side

    def usable_positions(self, positions: int) -> int:
        """Return how many tokens a row may have, given so many position embeddings.

        >>> Family("bert", "TFBert").usable_positions(512)
        512
        >>> Family("roberta", "TFRoberta", position_padding_id=1).usable_positions(514)
        512
        """
        return positions - (0 if self.position_padding_id is None else self.position_padding_id + 1)
