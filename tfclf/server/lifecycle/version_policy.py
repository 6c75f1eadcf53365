"""Two pure functions: which versions to serve, and the next step to get there.

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
    """A version to load or to unload."""

    do: Literal["load", "unload"]
    version: int


def choose(policy: Policy, versions: AbstractSet[int]) -> set[int]:
    """Return the versions in a folder that a policy serves; without a policy the latest one.

    >>> sorted(choose(Policy(latest=Policy.Latest(num_versions=2)), {1, 2, 10}))
    [2, 10]
    >>> sorted(choose(Policy(specific=Policy.Specific(versions=[2, 3])), {1, 2, 10}))
    [2]
    >>> choose(Policy(), {1, 2, 10})
    {10}
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
    """Choose the next version to load or unload; a model that can be served is never without one.

    >>> next_step(wanted={2}, serving={1}, loadable={2})  # load the new version first
    Step(do='load', version=2)
    >>> next_step(wanted={2}, serving={1, 2}, loadable=set())
    Step(do='unload', version=1)
    >>> next_step(wanted={2}, serving={1}, loadable=set())  # 2 failed: 1 stays

    Args:
      wanted: the versions that the policy chose.
      serving: the versions that answer requests now.
      loadable: the wanted versions that may be loaded now, because they are not loaded yet or are
        to be replaced.
    Returns: None if all is as wanted, or cannot be for now.
    """
    unwanted = serving - wanted
    if unwanted and (not wanted or wanted & serving or len(unwanted) > 1):
        return Step("unload", min(unwanted))
    if loadable:
        return Step("load", max(loadable))
    return None
