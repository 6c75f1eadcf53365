"""Which versions are to be served, and what to do next to get there: two pure functions.

Sources: TF Serving, file_system_storage_path_source.cc (AspireLatestVersions and its kin) and
availability_preserving_policy.cc.
"""

from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple, TypeAlias

from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)

Policy: TypeAlias = FileSystemStoragePathSourceConfig.ServableVersionPolicy


class Step(NamedTuple):
    """The next thing to do for a model."""

    do: Literal["load", "unload"]
    version: int


def choose(policy: Policy, versions: AbstractSet[int]) -> set[int]:
    """The versions, of those found, that a policy serves; without a policy the latest one.

    >>> sorted(choose(Policy(latest=Policy.Latest(num_versions=2)), {1, 2, 10}))
    [2, 10]
    """
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return set(versions)
    if kind == "specific":
        return set(policy.specific.versions) & versions
    return set(sorted(versions)[-max(policy.latest.num_versions, 1) :])


def next_step(
    *, wanted: AbstractSet[int], serving: AbstractSet[int], loadable: AbstractSet[int]
) -> Step | None:
    """What to load or unload next, so that a model that can be served is served at every moment.

    Args:
      wanted: what the policy chose.
      serving: what answers requests now.
      loadable: what, of the wanted, may be loaded now: it is not there yet, or is to be replaced.
    Returns: None where all is as wanted, or cannot be for now.
    """
    unwanted = serving - wanted
    if unwanted and (not wanted or wanted & serving or len(unwanted) > 1):
        return Step("unload", min(unwanted))
    if loadable:
        return Step("load", max(loadable))
    return None
