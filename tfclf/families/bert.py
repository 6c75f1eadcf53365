"""BERT: token types, and a pooler between the first token and the classifier.

Source: Devlin et al. 2018, arXiv:1810.04805.
Names: transformers 4, TFBertForSequenceClassification.
"""

from tfclf.families.declaration import ConfigKeys, Family, Weights


def weights(
    scope: str, *, head: tuple[str, ...], embeddings_projection: str | None = None
) -> Weights:
    """Return the names of BERT's variables below `scope`, which the families made after BERT share.

    >>> weights("electra", head=("classifier/out_proj",)).query
    'electra/encoder/layer_._{layer}/attention/self/query'
    """
    layer = f"{scope}/encoder/layer_._{{layer}}"
    return Weights(
        word_embeddings=f"{scope}/embeddings/word_embeddings/weight",
        position_embeddings=f"{scope}/embeddings/position_embeddings/embeddings",
        token_type_embeddings=f"{scope}/embeddings/token_type_embeddings/embeddings",
        embeddings_norm=f"{scope}/embeddings/LayerNorm",
        embeddings_projection=embeddings_projection,
        query=f"{layer}/attention/self/query",
        key=f"{layer}/attention/self/key",
        value=f"{layer}/attention/self/value",
        attention_output=f"{layer}/attention/output/dense",
        attention_norm=f"{layer}/attention/output/LayerNorm",
        inner=f"{layer}/intermediate/dense",
        output=f"{layer}/output/dense",
        output_norm=f"{layer}/output/LayerNorm",
        head=head,
    )


FAMILY = Family(
    model_type="bert",
    tf_class="TFBertForSequenceClassification",
    config_keys=ConfigKeys(),
    weights=weights("bert", head=("bert/pooler/dense", "classifier")),
    head_activations=("tanh", "linear"),
)
