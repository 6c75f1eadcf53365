"""Families: one declaration a model_type, found by walking this package."""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping

from tfclf.errors import UnknownFamilyError
from tfclf.families.declaration import Family

__all__ = ["Family", "family_of", "known"]


@functools.cache
def known() -> Mapping[str, Family]:
    """Every declared family by its model_type."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    families = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return {family.model_type: family for family in families}


def family_of(model_type: object, *, source: object) -> Family:
    """The family that declares `model_type`.

    Raises: UnknownFamilyError, with the nearest known name.
    """
    if isinstance(model_type, str) and model_type in known():
        return known()[model_type]
    near = difflib.get_close_matches(str(model_type), known(), n=1)
    did_you_mean = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownFamilyError(
        f"{source} has model_type {model_type!r}, which no family declares.{did_you_mean} "
        f"Known: {', '.join(sorted(known()))}. To add one, see CONTRIBUTING.md, 'Adding a family'."
    )
