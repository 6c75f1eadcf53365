"""CamemBERT: RoBERTa's encoder with French SentencePiece pieces.

Source: Martin et al. 2019, arXiv:1911.03894.
Names: transformers 4, TFCamembertForSequenceClassification.
"""

from dataclasses import replace

from tfclf.families import roberta

FAMILY = replace(
    roberta.FAMILY, model_type="camembert", tf_class="TFCamembertForSequenceClassification"
)
