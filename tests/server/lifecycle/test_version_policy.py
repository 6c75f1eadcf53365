"""The versions that a policy chooses, and steps to them that never leave a model without one."""

from hypothesis import given
from hypothesis import strategies as st

from tfclf.server.lifecycle.version_policy import Policy, choose, next_step

VERSIONS = st.sets(st.integers(-(2**63) + 1, 2**63 - 1), max_size=8)
FEW = st.sets(st.integers(0, 5))


def latest(number: int) -> Policy:
    return Policy(latest=Policy.Latest(num_versions=number))


@given(versions=VERSIONS, number=st.integers(0, 10))
def test_latest_chooses_the_largest(versions: set[int], number: int) -> None:
    chosen = choose(latest(number), versions)
    assert chosen <= versions
    assert len(chosen) == min(max(number, 1), len(versions))
    assert all(version < min(chosen) for version in versions - chosen)


@given(versions=VERSIONS)
def test_without_a_policy_the_latest_is_chosen(versions: set[int]) -> None:
    assert choose(Policy(), versions) == choose(latest(1), versions)


@given(versions=VERSIONS)
def test_all_chooses_all(versions: set[int]) -> None:
    assert choose(Policy(all=Policy.All()), versions) == versions


@given(versions=VERSIONS, named=VERSIONS)
def test_specific_chooses_those_named_that_are_there(versions: set[int], named: set[int]) -> None:
    assert choose(Policy(specific=Policy.Specific(versions=named)), versions) == versions & named


@given(serving=FEW, wanted=FEW, corrupt=FEW)
def test_the_steps_end_where_all_that_can_be_served_is_and_on_the_way_a_version_always_answers(
    serving: set[int], wanted: set[int], corrupt: set[int]
) -> None:
    before, failed = set(serving), set[int]()
    for _ in range(20):
        loadable = wanted - serving - failed
        step = next_step(wanted=wanted, serving=serving, loadable=loadable)
        if step is None:
            break
        if step.do == "unload":
            assert step.version in serving - wanted
            serving.remove(step.version)
        elif step.version in corrupt:
            failed.add(step.version)
        else:
            assert step.version in loadable
            serving.add(step.version)
        assert serving or not before or not wanted
    else:
        raise AssertionError("it goes on for ever")
    sound = wanted - (corrupt - before)
    if sound or not wanted:
        assert serving == sound
    else:
        assert serving <= before
        assert len(serving) == min(len(before), 1)


def test_a_new_version_is_loaded_before_the_old_one_goes() -> None:
    assert next_step(wanted={2}, serving={1}, loadable={2}) == ("load", 2)
    assert next_step(wanted={2}, serving={1, 2}, loadable=set()) == ("unload", 1)


def test_the_largest_version_is_loaded_first() -> None:
    assert next_step(wanted={1, 2, 3}, serving=set(), loadable={1, 2, 3}) == ("load", 3)


def test_a_version_that_is_to_be_replaced_is_not_unloaded_before() -> None:
    assert next_step(wanted={1}, serving={1}, loadable={1}) == ("load", 1)
