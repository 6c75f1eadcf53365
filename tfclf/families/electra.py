"""ELECTRA: BERT's encoder, narrow embeddings projected; a head of two layers, no pooler.

Source: Clark et al. 2020, arXiv:2003.10555.
Names: transformers 4, TFElectraForSequenceClassification.
"""

from dataclasses import replace

from tfclf.families import bert

FAMILY = replace(
    bert.FAMILY,
    model_type="electra",
    tf_class="TFElectraForSequenceClassification",
    weights=bert.weights(
        "electra",
        head=("classifier/dense", "classifier/out_proj"),
        embeddings_projection="electra/embeddings_project",
    ),
    head_activations=("gelu", "linear"),
)
