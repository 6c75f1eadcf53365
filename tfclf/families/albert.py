"""ALBERT: BERT's encoder, with one layer for all passes and narrow, projected embeddings.

Source: Lan et al. 2019, arXiv:1909.11942.
Names: transformers 4, TFAlbertForSequenceClassification.
"""

from tfclf.families.declaration import Family, SharedLayers, Weights

_LAYER = "albert/encoder/albert_layer_groups_._{group}/albert_layers_._{layer}"

FAMILY = Family(
    model_type="albert",
    tf_class="TFAlbertForSequenceClassification",
    weights=Weights(
        word_embeddings="albert/embeddings/word_embeddings/weight",
        position_embeddings="albert/embeddings/position_embeddings/embeddings",
        token_type_embeddings="albert/embeddings/token_type_embeddings/embeddings",  # noqa: S106
        embeddings_norm="albert/embeddings/LayerNorm",
        embeddings_projection="albert/encoder/embedding_hidden_mapping_in",
        query=f"{_LAYER}/attention/query",
        key=f"{_LAYER}/attention/key",
        value=f"{_LAYER}/attention/value",
        attention_output=f"{_LAYER}/attention/dense",
        attention_norm=f"{_LAYER}/attention/LayerNorm",
        inner=f"{_LAYER}/ffn",
        output=f"{_LAYER}/ffn_output",
        output_norm=f"{_LAYER}/full_layer_layer_norm",
        head=("albert/pooler", "classifier"),
    ),
    head_activations=("tanh", "linear"),
    shared_layers=SharedLayers(),
)
