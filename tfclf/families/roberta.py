"""RoBERTa: BERT's encoder, positions after the padding's id; a head of two layers, no pooler.

The TF class has the padding's id, 1, in its code, whatever pad_token_id config.json gives.
Source: Liu et al. 2019, arXiv:1907.11692.
Names: transformers 4, TFRobertaForSequenceClassification.
"""

from dataclasses import replace

from tfclf.families import bert

FAMILY = replace(
    bert.FAMILY,
    model_type="roberta",
    tf_class="TFRobertaForSequenceClassification",
    weights=bert.weights("roberta", head=("classifier/dense", "classifier/out_proj")),
    head_activations=("tanh", "linear"),
    position_padding_id=1,
)
