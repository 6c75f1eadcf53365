"""The KerasHub classes that can be loaded: the place of each number that the lean engine needs.

A backbone is one of our families under KerasHub's names:
- of the sizes in config.json;
- of the variables in model.weights.h5 and task.weights.h5, as `weights.py` reads them: `backbone/`
  or `task/` before the layer's path, `{group}` and `{layer}` for the encoder's layers.

Values that KerasHub keeps in its code, and in no file, are stated here.
Source: KerasHub 0.32, `*_backbone.py` and `*_text_classifier.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfclf.checkpoints.kerashub import tokenizers
from tfclf.families import Family, known
from tfclf.families.declaration import ConfigKeys, SharedLayers, Weights
from tfclf.tokenization.spec import TokenizerSpec

_LAYER = "backbone/transformer_encoder/{group}/{layer}"


@dataclass(frozen=True)
class Backbone:
    """One KerasHub backbone and the text classifier made of it.

    Attributes:
      class_name: its name in config.json.
      tasks: the names of its classifier's class in task.json; the second is keras-nlp's, before
        0.15.
      family: under KerasHub's names.
      activation: of the feed-forward part.
      read_tokenizer: takes the tokenizer's config, the preset's folder and the way to truncate
        pairs.
    """

    class_name: str
    tasks: tuple[str, str]
    family: Family
    activation: str
    read_tokenizer: Callable[[dict[str, Any], Path, str], TokenizerSpec]

    @property
    def has_token_types(self) -> bool:
        """Whether the model has an embedding for each of the two texts of a pair."""
        weights = self.family.weights
        return weights is not None and weights.token_type_embeddings is not None


def _family(
    model_type: str, weights: Weights, head_activations: tuple[str, ...], **options: Any
) -> Family:
    """Declare a family; KerasHub counts positions from 0, and keeps the epsilon in its code."""
    return replace(
        known()[model_type],
        config_keys=ConfigKeys(
            layers="num_layers",
            heads="num_heads",
            hidden_size="hidden_dim",
            intermediate_size="intermediate_dim",
            activation="activation",
            positions="max_sequence_length",
            layer_norm_epsilon=None,
        ),
        weights=weights,
        head_activations=head_activations,
        shared_layers=None,
        position_padding_id=None,
        **options,
    )


def _weights(embeddings: str, word: str, *, head: tuple[str, ...], **options: str) -> Weights:
    return Weights(
        word_embeddings=f"{embeddings}/{word}",
        position_embeddings=f"{embeddings}/position_embedding",
        embeddings_norm="backbone/layer_normalization",
        query=f"{_LAYER}/_self_attention_layer/query_dense",
        key=f"{_LAYER}/_self_attention_layer/key_dense",
        value=f"{_LAYER}/_self_attention_layer/value_dense",
        attention_output=f"{_LAYER}/_self_attention_layer/output_dense",
        attention_norm=f"{_LAYER}/_self_attention_layer_norm",
        inner=f"{_LAYER}/_feedforward_intermediate_dense",
        output=f"{_LAYER}/_feedforward_output_dense",
        output_norm=f"{_LAYER}/_feedforward_layer_norm",
        head=head,
        **options,
    )


_TOGETHER = "backbone/token_and_position_embedding"
_ROBERTA_WEIGHTS = _weights(_TOGETHER, "token_embedding", head=("task/dense", "task/dense_1"))

DISTILBERT = Backbone(
    class_name="DistilBertBackbone",
    tasks=("DistilBertTextClassifier", "DistilBertClassifier"),
    family=_family(
        "distilbert",
        _weights(_TOGETHER, "token_embedding", head=("task/dense", "task/dense_1")),
        ("relu", "linear"),
        layer_norm_epsilon=1e-12,
    ),
    activation="gelu",
    read_tokenizer=tokenizers.read_word_piece,
)
BERT = Backbone(
    class_name="BertBackbone",
    tasks=("BertTextClassifier", "BertClassifier"),
    family=_family(
        "bert",
        _weights(
            "backbone",
            "reversible_embedding",
            head=("backbone/dense", "task/dense"),
            token_type_embeddings="backbone/embedding",  # noqa: S106
        ),
        ("tanh", "linear"),
        layer_norm_epsilon=1e-12,
    ),
    activation="gelu_new",
    read_tokenizer=tokenizers.read_word_piece_with_types,
)
ALBERT = Backbone(
    class_name="AlbertBackbone",
    tasks=("AlbertTextClassifier", "AlbertClassifier"),
    family=replace(
        _family(
            "albert",
            _weights(
                "backbone",
                "reversible_embedding",
                head=("backbone/dense_1", "task/dense"),
                token_type_embeddings="backbone/embedding",  # noqa: S106
                embeddings_projection="backbone/dense",
            ),
            ("tanh", "linear"),
            layer_norm_epsilon=1e-12,
        ),
        shared_layers=SharedLayers(groups="num_groups", layers_in_group="num_inner_repetitions"),
    ),
    activation="gelu_new",
    read_tokenizer=tokenizers.read_albert,
)
ROBERTA = Backbone(
    class_name="RobertaBackbone",
    tasks=("RobertaTextClassifier", "RobertaClassifier"),
    family=_family("roberta", _ROBERTA_WEIGHTS, ("tanh", "linear"), layer_norm_epsilon=1e-5),
    activation="gelu",
    read_tokenizer=tokenizers.read_roberta,
)
XLM_ROBERTA = Backbone(
    class_name="XLMRobertaBackbone",
    tasks=("XLMRobertaTextClassifier", "XLMRobertaClassifier"),
    family=_family("xlm-roberta", _ROBERTA_WEIGHTS, ("tanh", "linear"), layer_norm_epsilon=1e-5),
    activation="gelu",
    read_tokenizer=tokenizers.read_xlm_roberta,
)

BACKBONES = {
    backbone.class_name: backbone for backbone in (DISTILBERT, BERT, ALBERT, ROBERTA, XLM_ROBERTA)
}
