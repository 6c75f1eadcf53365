"""DistilBERT: BERT's encoder without token types and pooler; the head reads the first token.

Source: Sanh et al. 2019, arXiv:1910.01108.
Names: transformers 4, TFDistilBertForSequenceClassification.
"""

from tfclf.families.declaration import ConfigKeys, Family, Weights

_LAYER = "distilbert/transformer/layer_._{layer}"

FAMILY = Family(
    model_type="distilbert",
    tf_class="TFDistilBertForSequenceClassification",
    config_keys=ConfigKeys(
        layers="n_layers",
        heads="n_heads",
        hidden_size="dim",
        intermediate_size="hidden_dim",
        activation="activation",
        layer_norm_epsilon=None,
    ),
    weights=Weights(
        word_embeddings="distilbert/embeddings/word_embeddings/weight",
        position_embeddings="distilbert/embeddings/position_embeddings/embeddings",
        embeddings_norm="distilbert/embeddings/LayerNorm",
        query=f"{_LAYER}/attention/q_lin",
        key=f"{_LAYER}/attention/k_lin",
        value=f"{_LAYER}/attention/v_lin",
        attention_output=f"{_LAYER}/attention/out_lin",
        attention_norm=f"{_LAYER}/sa_layer_norm",
        inner=f"{_LAYER}/ffn/lin1",
        output=f"{_LAYER}/ffn/lin2",
        output_norm=f"{_LAYER}/output_layer_norm",
        head=("pre_classifier", "classifier"),
    ),
    head_activations=("relu", "linear"),
)
