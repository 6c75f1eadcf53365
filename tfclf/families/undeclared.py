"""Families without a declaration, which only the original engine runs."""

from tfclf._transformers import transformers
from tfclf.families.declaration import ConfigKeys, Family

# These count positions as RoBERTa does; each TF class has the 1 in its code.
_POSITION_PADDING_IDS = {"longformer": 1, "mpnet": 1, "roberta-prelayernorm": 1}


def list_tf_classes() -> dict[str, str]:
    """Return transformers' TF classes for sequence classification, by model_type.

    >>> list_tf_classes()["mpnet"]
    'TFMPNetForSequenceClassification'
    """
    auto = transformers().models.auto.modeling_tf_auto
    return dict(auto.TF_MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)


def describe_undeclared(model_type: str) -> Family:
    """Return a family without weights.

    >>> describe_undeclared("gpt2").config_keys.positions
    'n_positions'

    Raises: KeyError if transformers has no TF class for it.
    """
    # Some configs use another name for max_position_embeddings.
    own_names = transformers().CONFIG_MAPPING[model_type].attribute_map
    positions = "max_position_embeddings"
    return Family(
        model_type=model_type,
        tf_class=list_tf_classes()[model_type],
        config_keys=ConfigKeys(positions=own_names.get(positions, positions)),
        position_padding_id=_POSITION_PADDING_IDS.get(model_type),
    )
