"""Families: one declaration a model_type, found by walking this package."""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping

from tfclf._transformers import transformers
from tfclf.errors import UnknownFamilyError
from tfclf.families.declaration import Family
from tfclf.families.undeclared import classes, undeclared

__all__ = ["Family", "family_of", "known"]


@functools.cache
def known() -> Mapping[str, Family]:
    """Every declared family, which the lean engine runs, by its model_type."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    )
    families = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return {family.model_type: family for family in families}


def family_of(model_type: object, *, source: object) -> Family:
    """What the road must know of `model_type`: its declaration, or, where there is none, the name of its TF class.

    Raises: UnknownFamilyError where there is neither, with the nearest name.
    """
    if isinstance(model_type, str) and model_type in known():
        return known()[model_type]
    if isinstance(model_type, str) and model_type in classes():
        return undeclared(model_type)
    names = sorted(known().keys() | classes().keys())
    near = difflib.get_close_matches(str(model_type), names, n=1)
    did_you_mean = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownFamilyError(
        f"{source} has model_type {model_type!r}, for which transformers {transformers().__version__} has no TF class "
        f"for sequence classification, so that there is nothing to run.{did_you_mean} Known: {', '.join(names)}."
    )
