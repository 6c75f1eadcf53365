"""Families: one declaration for each model_type, found by walking this package."""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping

from tfclf._transformers import transformers
from tfclf.errors import UnknownFamilyError
from tfclf.families.declaration import Family
from tfclf.families.undeclared import describe_undeclared, list_tf_classes

__all__ = ["Family", "family_of", "known"]


@functools.cache
def known() -> Mapping[str, Family]:
    """Return the declared families, which the lean engine runs, by model_type.

    >>> sorted(known())
    ['albert', 'bert', 'camembert', 'distilbert', 'electra', 'roberta', 'xlm-roberta']
    """
    modules = (
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    )
    families = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return {family.model_type: family for family in families}


def family_of(model_type: object, *, source: object) -> Family:
    """Return the declaration of `model_type`, or a family without weights if there is none.

    >>> family_of("camembert", source="config.json").tf_class
    'TFCamembertForSequenceClassification'

    Args:
      source: where the model_type was read, for the error.
    Raises: UnknownFamilyError, with the nearest name, if there is neither.
    """
    if isinstance(model_type, str) and model_type in known():
        return known()[model_type]
    if isinstance(model_type, str) and model_type in list_tf_classes():
        return describe_undeclared(model_type)
    names = sorted(known().keys() | list_tf_classes().keys())
    version = transformers().__version__
    if isinstance(model_type, str) and model_type in transformers().CONFIG_MAPPING:
        raise UnknownFamilyError(
            f"{source} has model_type {model_type!r}, for which transformers {version} has no TF "
            f"class for sequence classification: it has PyTorch alone, which is not used here. "
            f"Fine-tune a checkpoint of a type that has one: {', '.join(names)}."
        )
    near = difflib.get_close_matches(str(model_type), names, n=1)
    did_you_mean = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownFamilyError(
        f"{source} has model_type {model_type!r}, for which transformers "
        f"{version} has no TF class for sequence classification, and so nothing "
        f"can run it.{did_you_mean} Known: {', '.join(names)}."
    )
