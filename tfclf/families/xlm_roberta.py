"""XLM-RoBERTa: RoBERTa's encoder with SentencePiece pieces of 100 languages.

Source: Conneau et al. 2019, arXiv:1911.02116.
Names: transformers 4, TFXLMRobertaForSequenceClassification.
"""

from dataclasses import replace

from tfclf.families import roberta

FAMILY = replace(
    roberta.FAMILY, model_type="xlm-roberta", tf_class="TFXLMRobertaForSequenceClassification"
)
