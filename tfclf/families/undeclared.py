"""Models that only the original engine runs: what the road must know of them."""

from tfclf._transformers import transformers
from tfclf.families.declaration import ConfigKeys, Family

# As RoBERTa's kin do; each TF class has the 1 in its code.
_POSITION_PADDING_IDS = {"longformer": 1, "mpnet": 1, "roberta-prelayernorm": 1}


def classes() -> dict[str, str]:
    """Every TF class for sequence classification that transformers has, by model_type."""
    found: dict[str, str] = dict(
        transformers().models.auto.modeling_tf_auto.TF_MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    )
    return found


def undeclared(model_type: str) -> Family:
    """A family without weights. Raises: KeyError where transformers has no TF class for it."""
    # Some configs have names of their own for what most call max_position_embeddings.
    own_names = transformers().CONFIG_MAPPING[model_type].attribute_map
    positions = "max_position_embeddings"
    return Family(
        model_type=model_type,
        tf_class=classes()[model_type],
        config_keys=ConfigKeys(positions=own_names.get(positions, positions)),
        position_padding_id=_POSITION_PADDING_IDS.get(model_type),
    )
