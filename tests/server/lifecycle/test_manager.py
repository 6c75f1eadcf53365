"""The manager: versions come, are swapped, fail and go, while requests are answered."""

import math
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server.conftest import predict_request, strings
from tests.server.fakes import Loads, fake_servable, is_closed, wait_until, write_version
from tfclf.errors import SavedModelError, ServerError
from tfclf.server.context import RequestContext
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.managed_model import ManagedModel
from tfclf.server.lifecycle.manager import Manager
from tfclf.server.lifecycle.version_policy import Policy
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.states import AVAILABLE, END, LOADING, UNLOADING, State, States
from tfclf.server.service import Service
from tfclf.server.status import RequestError

POLL = 0.02
QUICK = Watching(poll_seconds=POLL, max_load_retries=0)
ALL = Policy(all=Policy.All())


def config_of(
    *models: tuple[str, Path], policy: Policy | None = None, **labels: int
) -> ModelServerConfig:
    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    for name, base_path in models:
        config.model_config_list.config.add(
            name=name,
            base_path=str(base_path),
            model_platform="tensorflow",
            model_version_policy=policy,
            version_labels=labels,
        )
    return config


class World:
    """A registry, a manager with loads that take no time, and a folder of models."""

    def __init__(
        self, folder: Path, watching: Watching = QUICK, *, drain_seconds: float = 60.0
    ) -> None:
        self.folder = folder
        self.registry = Registry()
        self.loads = Loads()
        self.manager = Manager(
            self.registry, load=self.loads, watching=watching, drain_seconds=drain_seconds
        )

    def write(self, version: int, content: str = "fine", *, model: str = "demo") -> Path:
        return write_version(self.folder / model, version, content)

    def config(self, *names: str, policy: Policy | None = None, **labels: int) -> ModelServerConfig:
        return config_of(
            *[(name, self.folder / name) for name in names or ("demo",)], policy=policy, **labels
        )

    def serving(self, model: str = "demo") -> list[int]:
        return sorted(servable.version for servable in self.registry if servable.name == model)

    def stages(self, model: str = "demo") -> dict[int, int]:
        return {version: state.stage for version, state in self.registry.states.of(model).items()}

    def servable(self, version: int) -> Servable:
        return next(each for each in self.loads.servables if each.version == version)


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    worlds: list[World] = []

    def make(*, drain_seconds: float = 60.0, **watching: Any) -> World:
        worlds.append(World(tmp_path, replace(QUICK, **watching), drain_seconds=drain_seconds))
        return worlds[-1]

    yield make
    for world in worlds:
        world.loads.gate.set()
        world.manager.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


# The start


def test_the_latest_version_is_loaded(world: World) -> None:
    world.write(1)
    world.write(10)
    world.manager.start(world.config())
    assert world.loads.tried == [("demo", 10)]
    assert world.stages() == {10: AVAILABLE}


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        (Policy(latest=Policy.Latest(num_versions=2)), [2, 3]),
        (ALL, [1, 2, 3]),
        (Policy(specific=Policy.Specific(versions=[1, 3])), [1, 3]),
    ],
    ids=["latest 2", "all", "specific"],
)
def test_a_policy_chooses_the_versions(world: World, policy: Policy, versions: list[int]) -> None:
    for version in (1, 2, 3):
        world.write(version)
    world.manager.start(world.config(policy=policy))
    assert world.serving() == versions


def test_several_models_are_loaded(world: World) -> None:
    world.write(1)
    world.write(7, model="other")
    world.manager.start(world.config("demo", "other"))
    assert (world.serving("demo"), world.serving("other")) == ([1], [7])


def test_a_model_that_cannot_be_loaded_fails_the_start(world: World) -> None:
    folder = world.write(1, "corrupt")
    with pytest.raises(SavedModelError, match=rf"^{folder} cannot be loaded: it is corrupt$"):
        world.manager.start(world.config())


def test_several_failures_are_listed(world: World) -> None:
    world.write(1, "corrupt")
    world.write(2, "corrupt", model="other")
    with pytest.raises(ServerError, match=r"^2 model\(s\) did not become available: ") as raised:
        world.manager.start(world.config("demo", "other"))
    message = str(raised.value)
    reason = "UNKNOWN: other/2 cannot be loaded: it is corrupt"
    assert f"{{{{name: other version: 2}} due to error: {reason}}}" in message


def test_a_start_that_fails_leaves_nothing_loaded(world: World) -> None:
    world.write(1)
    world.write(2, "corrupt", model="other")
    with pytest.raises(SavedModelError):
        world.manager.start(world.config("demo", "other"))
    assert is_closed(world.servable(1))
    assert list(world.registry) == []


def test_a_model_starts_with_the_versions_that_can_be_loaded(world: World) -> None:
    world.write(1)
    world.write(2, "corrupt")
    world.manager.start(world.config(policy=ALL))
    assert world.stages() == {2: END, 1: AVAILABLE}


def test_a_base_path_without_versions_fails_the_start(world: World) -> None:
    (world.folder / "demo").mkdir()
    with pytest.raises(
        ServerError, match=r"^Unable to find a numerical version path for servable demo at: "
    ):
        world.manager.start(world.config())


def test_a_missing_base_path_fails_the_start(world: World) -> None:
    with pytest.raises(
        ServerError,
        match=r"^Could not find base path .*demo for servable demo.*Correct base_path\.",
    ):
        world.manager.start(world.config())


def test_a_start_that_is_refused_names_the_file(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(config_file=tmp_path / "models.config")
    with pytest.raises(ServerError, match=rf"Found in {tmp_path}/models\.config\. "):
        world.manager.start(world.config())


def test_an_empty_list_starts_a_server_that_waits_for_a_reload(world: World) -> None:
    world.manager.start(ModelServerConfig(model_config_list={}))
    world.write(1)
    world.manager.reload(world.config())
    assert world.serving() == [1]


# New versions


def test_a_new_version_takes_the_place_of_the_old_one(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.write(2)
    wait_until(lambda: world.stages() == {2: AVAILABLE, 1: END})
    assert world.serving() == [2]
    assert is_closed(world.servable(1))


def test_the_old_version_answers_while_the_new_one_is_loaded(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.loads.gate.clear()
    world.write(2)
    wait_until(lambda: world.stages() == {2: LOADING, 1: AVAILABLE})
    assert world.serving() == [1]


def test_without_polling_nothing_new_is_seen(make_world: MakeWorld) -> None:
    world = make_world(poll_seconds=0)
    world.write(1)
    world.manager.start(world.config())
    world.write(2)
    threading.Event().wait(5 * POLL)
    assert world.serving() == [1]


def test_a_removed_version_makes_room_for_the_next_one(world: World) -> None:
    world.write(1)
    newest = world.write(2)
    world.manager.start(world.config())
    shutil.rmtree(newest)
    wait_until(lambda: world.stages() == {2: END, 1: AVAILABLE})


def test_a_version_that_comes_back_is_loaded_again(world: World) -> None:
    world.write(1)
    newest = world.write(2)
    world.manager.start(world.config())
    shutil.rmtree(newest)
    wait_until(lambda: world.serving() == [1])
    world.write(2)
    wait_until(lambda: world.serving() == [2])
    assert world.loads.tried == [("demo", 2), ("demo", 1), ("demo", 2)]


def test_the_last_version_s_removal_unloads_the_model(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    only = world.write(1)
    world.manager.start(world.config())
    shutil.rmtree(only)
    wait_until(lambda: world.stages() == {1: END})
    with pytest.raises(RequestError, match=r"Servable not found for request: Latest\(demo\)"):
        world.registry.find(ModelSpec(name="demo"))
    assert caplog.text.count("No versions of servable demo found under base path") == 1


def test_a_base_path_that_vanishes_unloads_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write(1)
    world.write(1, model="other")
    world.manager.start(world.config("demo", "other"))
    (world.folder / "demo").rename(world.folder / "away")
    wait_until(lambda: "cannot be read" in caplog.text)
    world.write(2, model="other")
    wait_until(lambda: world.serving("other") == [2])
    assert world.serving() == [1]
    assert caplog.text.count("of model 'demo' cannot be read") == 1
    (world.folder / "away").rename(world.folder / "demo")
    world.write(2)
    wait_until(lambda: world.serving() == [2])


def test_a_serving_version_that_is_written_over_goes_on_serving(world: World) -> None:
    folder = world.write(1)
    world.write(7, model="other")
    world.manager.start(world.config("demo", "other"))
    (folder / "saved_model.pb").unlink()
    world.write(8, model="other")
    wait_until(lambda: world.serving("other") == [8])
    assert world.serving() == [1]


def test_a_copy_under_way_is_not_loaded(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    path = world.write(2, "corrupt") / "saved_model.pb"
    for length in range(20):
        path.write_text("corrupt" + "." * length)
        threading.Event().wait(POLL / 4)
    path.write_text("fine")
    wait_until(lambda: world.serving() == [2])


def test_a_half_written_version_is_passed_over_and_named_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write(1)
    (world.folder / "demo" / "2" / "variables").mkdir(parents=True)
    world.manager.start(world.config())
    world.write(3)
    wait_until(lambda: world.serving() == [3])
    assert caplog.text.count("2: not a whole SavedModel") == 1


def wait_for_stage(world: World, version: int, stage: int) -> None:
    wait_until(lambda: world.stages().get(version) == stage)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["fine", "corrupt", "gone"])), max_size=8
    )
)
def test_whatever_comes_and_goes_the_newest_that_can_be_loaded_serves(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, str]]
) -> None:
    world = World(tmp_path_factory.mktemp("worlds"), replace(QUICK, poll_seconds=0.002))
    world.write(0)
    with world.manager:
        world.manager.start(world.config(policy=ALL))
        there = {0: "fine"}
        for version, content in changes:
            if version in there:
                shutil.rmtree(world.folder / "demo" / str(version))
                del there[version]
                wait_for_stage(world, version, END)
            if content != "gone":
                world.write(version, content)
                there[version] = content
                wait_for_stage(world, version, AVAILABLE if content == "fine" else END)
            assert world.serving()
        wait_until(
            lambda: world.serving() == sorted(each for each in there if there[each] == "fine")
        )


# Versions that cannot be loaded


def test_a_corrupt_version_is_refused_and_the_old_one_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write(1)
    world.manager.start(world.config())
    folder = world.write(2, "corrupt")
    wait_until(lambda: world.stages() == {2: END, 1: AVAILABLE})
    assert world.registry.states.of("demo")[2] == State(
        END, StatusCode.UNKNOWN, "demo/2 cannot be loaded: it is corrupt"
    )
    # The line comes just after the state.
    wait_until(lambda: f"given up: {folder} cannot be loaded: it is corrupt" in caplog.text)


def test_a_version_given_up_is_not_tried_again_and_again(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.write(2, "corrupt")
    wait_until(lambda: world.stages() == {2: END, 1: AVAILABLE})
    threading.Event().wait(10 * POLL)
    assert world.loads.tried == [("demo", 1), ("demo", 2)]


def test_it_is_tried_again_as_often_as_asked(make_world: MakeWorld) -> None:
    world = make_world(max_load_retries=2, retry_seconds=0.1)
    world.write(1)
    world.manager.start(world.config())
    world.write(2, "corrupt")
    wait_until(lambda: world.stages() == {2: END, 1: AVAILABLE})
    assert world.loads.tried == [("demo", 1)] + 3 * [("demo", 2)]


def test_until_it_is_given_up_it_is_loading(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(max_load_retries=2, retry_seconds=600)
    world.write(1)
    world.manager.start(world.config())
    world.write(2, "corrupt")
    wait_until(lambda: "try 1 of 3, next try in 600 seconds" in caplog.text)
    assert world.stages() == {2: LOADING, 1: AVAILABLE}


def test_a_corrupt_version_that_is_mended_is_loaded_though_it_was_given_up(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    folder = world.write(2, "corrupt")
    wait_until(lambda: world.stages() == {2: END, 1: AVAILABLE})
    (folder / "saved_model.pb").write_text("fine")
    wait_until(lambda: world.stages() == {2: AVAILABLE, 1: END})


def test_a_corrupt_version_that_is_removed_is_forgotten(make_world: MakeWorld) -> None:
    world = make_world(max_load_retries=5, retry_seconds=60)
    world.write(1)
    world.manager.start(world.config())
    folder = world.write(2, "corrupt")
    wait_until(lambda: len(world.loads.tried) == 2)
    shutil.rmtree(folder)
    wait_until(lambda: world.stages() == {2: END, 1: AVAILABLE})
    world.write(2)
    wait_until(lambda: world.stages() == {2: AVAILABLE, 1: END})


def _raise_bug(*_: Any, **__: Any) -> NoReturn:
    raise KeyError("a bug")


def test_a_bug_in_the_thread_does_not_end_it(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfclf.server.lifecycle.manager._AFTER_A_BUG", POLL)
    world.write(1)
    world.manager.start(world.config())
    with monkeypatch.context() as patch:
        patch.setattr("tfclf.server.lifecycle.base_path.find_versions", _raise_bug)
        wait_until(lambda: "looking after the models failed" in caplog.text)
    world.write(2)
    wait_until(lambda: world.serving() == [2])


# In-flight requests


@contextmanager
def lease(world: World) -> Iterator[Servable]:
    with world.registry.lease(ModelSpec(name="demo")) as leased:
        yield leased


def test_a_version_in_use_is_closed_only_after_its_last_user(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    with lease(world) as leased:
        world.write(2)
        wait_until(lambda: world.stages() == {2: AVAILABLE, 1: UNLOADING})
        threading.Event().wait(5 * POLL)
        assert not is_closed(leased)
    wait_until(lambda: world.stages() == {2: AVAILABLE, 1: END})
    assert is_closed(leased)


def test_a_user_who_takes_too_long_is_not_waited_for(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(drain_seconds=0.1)
    world.write(1)
    world.manager.start(world.config())
    with lease(world) as leased:
        world.write(2)
        wait_until(lambda: is_closed(leased))
        wait_until(lambda: world.stages() == {2: AVAILABLE, 1: END})
    assert "closed under its last requests" in caplog.text


def test_a_version_that_comes_back_while_it_is_drained_answers(world: World) -> None:
    world.write(1)
    newest = world.write(2)
    world.manager.start(world.config())
    with lease(world) as old:
        shutil.rmtree(newest)
        wait_until(lambda: world.stages() == {2: UNLOADING, 1: AVAILABLE})
        world.write(2)
        wait_until(lambda: world.serving() == [2])
        assert not is_closed(old)
    wait_until(lambda: is_closed(old))
    assert world.stages()[2] == AVAILABLE
    assert not is_closed(world.registry.find(ModelSpec(name="demo")))


def test_close_closes_everything(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.manager.close()
    world.manager.close()
    assert all(is_closed(servable) for servable in world.loads.servables)
    assert world.stages() == {1: END}
    assert not world.manager._thread.is_alive()


def test_stop_leaves_what_is_loaded(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.manager.stop()
    world.write(2)
    threading.Event().wait(5 * POLL)
    assert world.serving() == [1]
    assert not is_closed(world.servable(1))


def test_what_is_loaded_too_late_is_closed(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.loads.gate.clear()
    world.write(2)
    wait_until(lambda: len(world.loads.tried) == 2)
    world.manager.stop(timeout=0)
    world.loads.gate.set()
    wait_until(lambda: len(world.loads.servables) == 2)
    wait_until(lambda: is_closed(world.servable(2)))
    assert world.serving() == [1]


# Reloads


def test_a_reload_adds_and_removes_models(world: World) -> None:
    world.write(1)
    world.write(5, model="other")
    world.manager.start(world.config("demo"))
    world.manager.reload(world.config("other"))
    assert (world.serving("demo"), world.serving("other")) == ([], [5])
    wait_until(lambda: world.stages("demo") == {1: END})


def test_a_model_is_configured_also_without_a_version(world: World) -> None:
    folder = world.write(1)
    world.manager.start(world.config())
    shutil.rmtree(folder)
    wait_until(lambda: world.serving() == [])
    assert world.manager.list_configured() == ["demo"]


def test_a_reload_changes_the_policy(world: World) -> None:
    world.write(1)
    world.write(2)
    world.manager.start(world.config())
    world.manager.reload(world.config(policy=ALL))
    wait_until(lambda: world.serving() == [1, 2])
    assert world.loads.tried == [("demo", 2), ("demo", 1)]  # what was loaded stays


def test_a_reload_changes_the_policy_though_the_folder_is_not_polled(make_world: MakeWorld) -> None:
    world = make_world(poll_seconds=-1)
    world.write(1)
    world.write(2)
    world.manager.start(world.config())
    world.manager.reload(world.config(policy=ALL))
    wait_until(lambda: world.serving() == [1, 2])


def test_a_reload_changes_the_base_path_even_to_a_version_of_the_same_number(world: World) -> None:
    world.write(1)
    moved = write_version(world.folder / "elsewhere", 1)
    world.manager.start(world.config())
    with lease(world) as old:
        world.manager.reload(config_of(("demo", moved.parent)))
        wait_until(lambda: len(world.loads.servables) == 2)
        wait_until(lambda: world.registry.find(ModelSpec(name="demo")) is world.loads.servables[1])
        assert not is_closed(old)
    wait_until(lambda: is_closed(old))
    assert world.stages() == {1: AVAILABLE}


def test_a_base_path_whose_version_cannot_be_loaded_leaves_the_old_one_serving(
    world: World,
) -> None:
    world.write(1)
    bad = write_version(world.folder / "elsewhere", 1, "corrupt")
    world.manager.start(world.config())
    world.manager.reload(config_of(("demo", bad.parent)))
    wait_until(lambda: len(world.loads.tried) == 2)
    world.manager.reload(world.config())
    assert world.stages() == {1: AVAILABLE}
    assert not is_closed(world.servable(1))


def test_a_failure_at_a_base_path_that_was_left_calls_for_no_retry(tmp_path: Path) -> None:
    states = States()
    model = ManagedModel(config_of(("demo", tmp_path)).model_config_list.config[0])
    model.want({1: tmp_path / "a"}, states)
    model.succeed(1, tmp_path / "a", fake_servable("demo", 1))
    model.want({1: tmp_path / "b"}, states)
    model.fail(1, tmp_path / "b", OSError(), again_at=0.0, most_tries=5)
    assert model.next_retry() == 0.0
    model.want({1: tmp_path / "a"}, states)
    assert model.next_retry() == math.inf
    assert model.next_step(now=1.0) is None


def test_a_reload_waits_for_its_new_models(world: World) -> None:
    world.write(1)
    world.write(5, model="other")
    world.manager.start(world.config("demo"))
    world.loads.gate.clear()
    thread = threading.Thread(target=world.manager.reload, args=[world.config("demo", "other")])
    thread.start()
    wait_until(lambda: world.stages("other") == {5: LOADING})
    assert thread.is_alive()
    world.loads.gate.set()
    thread.join(60)
    assert world.serving("other") == [5]


def test_a_reload_s_deadline_ends_the_wait_and_the_model_comes_all_the_same(world: World) -> None:
    world.write(1)
    world.write(5, model="other")
    world.manager.start(world.config("demo"))
    world.loads.gate.clear()
    with pytest.raises(RequestError) as raised:
        world.manager.reload(world.config("demo", "other"), call=RequestContext(timeout=0.2))
    assert raised.value.code is StatusCode.DEADLINE_EXCEEDED
    world.loads.gate.set()
    wait_until(lambda: world.serving("other") == [5])


def test_a_new_model_that_cannot_be_loaded_is_the_reload_s_error(world: World) -> None:
    world.write(1)
    world.write(5, "corrupt", model="other")
    world.manager.start(world.config("demo"))
    with pytest.raises(RequestError) as raised:
        world.manager.reload(world.config("demo", "other"))
    assert raised.value.code is StatusCode.UNKNOWN
    assert raised.value.message == (
        "1 model(s) did not become available: {{{name: other version: 5} "
        "due to error: UNKNOWN: other/5 cannot be loaded: it is corrupt}, }"
    )
    assert world.serving() == [1]


def test_reloads_at_once_end_with_one_of_them(world: World) -> None:
    names = ["demo", "other", "third"]
    for name in names:
        world.write(1, model=name)
    world.manager.start(world.config("demo"))
    threads = [
        threading.Thread(target=world.manager.reload, args=[world.config(name)])
        for name in names * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    wait_until(lambda: sum(len(world.serving(name)) for name in names) == 1)
    wait_until(lambda: sum(not is_closed(each) for each in world.loads.servables) == 1)


@pytest.mark.parametrize("content", ["fine", "corrupt"])
def test_a_model_that_is_removed_while_it_is_loaded_ends(
    make_world: MakeWorld, content: str
) -> None:
    world = make_world(max_load_retries=5)
    world.write(1)
    world.write(5, content, model="other")
    world.manager.start(world.config("demo"))
    world.loads.gate.clear()
    with pytest.raises(RequestError):
        world.manager.reload(world.config("demo", "other"), call=RequestContext(timeout=0.1))
    wait_until(lambda: world.stages("other") == {5: LOADING})
    world.manager.reload(world.config("demo"))
    world.loads.gate.set()
    world.write(2)
    wait_until(lambda: world.serving() == [2])
    assert world.stages("other") == {5: END}
    assert all(is_closed(each) for each in world.loads.servables if each.name == "other")


@pytest.mark.parametrize(
    "names", [("demo", "demo"), ("demo", "nowhere"), ("",)], ids=["twice", "no folder", "no name"]
)
def test_a_refused_reload_changes_nothing(world: World, names: tuple[str, ...]) -> None:
    world.write(1)
    world.write(2)
    world.manager.start(world.config("demo"))
    with pytest.raises(RequestError):
        world.manager.reload(world.config(*names, policy=ALL))
    world.write(3)
    wait_until(lambda: world.serving() == [3])  # under the old policy


# Labels


def find_labelled(world: World, label: str) -> int:
    return world.registry.find(ModelSpec(name="demo", version_label=label)).version


def test_a_label_is_given_to_an_available_version(world: World) -> None:
    world.write(1)
    world.write(2)
    world.manager.start(world.config(policy=ALL))
    world.manager.reload(world.config(policy=ALL, stable=1, canary=2))
    assert (find_labelled(world, "stable"), find_labelled(world, "canary")) == (1, 2)


def label_refusal(start: Callable[[], None]) -> str:
    with pytest.raises((RequestError, ServerError)) as raised:
        start()
    return str(raised.value)


REFUSED = (
    "Request to assign label to version 9 of model demo, "
    "which is not currently available for inference"
)


def test_a_label_for_a_version_that_is_not_available_is_refused(world: World) -> None:
    world.write(1)
    world.manager.start(world.config())
    world.manager.reload(world.config(stable=1))
    assert label_refusal(lambda: world.manager.reload(world.config(stable=9))) == REFUSED
    assert find_labelled(world, "stable") == 1


def test_at_the_start_no_version_is_available_for_a_label(world: World) -> None:
    world.write(9)
    message = label_refusal(lambda: world.manager.start(world.config(stable=9)))
    assert message.startswith(REFUSED)
    assert "--allow_version_labels_for_unavailable_models" in message


def test_labels_for_unavailable_versions_may_be_allowed_at_the_start(make_world: MakeWorld) -> None:
    world = make_world(labels_for_unavailable=True)
    world.write(9)
    world.manager.start(world.config(stable=9))
    assert find_labelled(world, "stable") == 9


def test_even_then_a_label_does_not_move_to_an_unavailable_version(make_world: MakeWorld) -> None:
    world = make_world(labels_for_unavailable=True)
    world.write(1)
    world.manager.start(world.config(stable=1))
    assert label_refusal(lambda: world.manager.reload(world.config(stable=9))) == REFUSED


# models.config


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "models.config"


def rewrite(path: Path, content: str) -> None:
    """Replace a file in one step: a reader sees the old content or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(content)
    beside.replace(path)


@pytest.fixture
def polled(make_world: MakeWorld, config_file: Path) -> World:
    world = make_world(config_file=config_file, config_poll_seconds=POLL)
    world.write(1)
    world.write(5, model="other")
    config_file.write_text(str(world.config("demo")))
    world.manager.start(world.config("demo"))
    return world


def test_a_changed_file_changes_the_models(polled: World, config_file: Path) -> None:
    rewrite(config_file, str(polled.config("other")))
    wait_until(lambda: (polled.serving("demo"), polled.serving("other")) == ([], [5]))


@pytest.mark.parametrize("bad", ["model_config_list {", "", None], ids=["cut", "empty", "gone"])
def test_a_bad_file_is_logged_once_and_the_old_configuration_goes_on(
    polled: World, config_file: Path, caplog: pytest.LogCaptureFixture, bad: str | None
) -> None:
    if bad is None:
        config_file.unlink()
    else:
        rewrite(config_file, bad)
    wait_until(lambda: "the models stay as they are" in caplog.text)
    polled.write(2)
    wait_until(lambda: polled.serving() == [2])
    assert caplog.text.count("the models stay as they are") == 1
    rewrite(config_file, str(polled.config("other")))
    wait_until(lambda: polled.serving("other") == [5])


def test_a_refused_file_is_logged_and_taken_once_it_can_be(
    polled: World, config_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(config_file, str(polled.config("demo", stable=2)))
    wait_until(lambda: "Request to assign label to version 2 of model demo" in caplog.text)
    polled.write(2)
    wait_until(lambda: polled.registry.find_label("demo", "stable") == 2)


# With real models


@pytest.fixture
def echo(echo_base: Path, tmp_path: Path) -> Path:
    """A base path of its own, with version 1."""
    shutil.copytree(echo_base / "1", tmp_path / "echo" / "1")
    return tmp_path / "echo"


@contextmanager
def storm(
    service: Service, answers: list[list[int]], errors: list[BaseException]
) -> Iterator[None]:
    """Send requests from six threads; `answers` gets each thread's versions in order."""
    over = threading.Event()
    request = predict_request({"text": strings("a", "b")}, output_filter=["version"])

    def ask(mine: list[int]) -> None:
        try:
            while not over.is_set():
                response = service.predict(request, RequestContext(timeout=60))
                versions = set(response.outputs["version"].int64_val)
                assert versions == {response.model_spec.version.value}
                mine.extend(versions)
        except BaseException as error:
            errors.append(error)
            raise

    answers.extend([] for _ in range(6))
    threads = [threading.Thread(target=ask, args=[mine]) for mine in answers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


def test_a_hot_swap_under_a_storm_of_requests_drops_none(echo: Path, echo_base: Path) -> None:
    registry, answers, errors = Registry(), list[list[int]](), list[BaseException]()
    with Manager(registry, load=Loader(), watching=Watching(poll_seconds=0.05)) as manager:
        manager.start(config_of(("echo", echo)))
        first = registry.find(ModelSpec(name="echo"))
        with storm(Service(registry, manager=manager), answers, errors):
            wait_until(lambda: all(len(mine) > 20 for mine in answers))
            shutil.copytree(echo_base / "2", echo / "2")  # file by file, not in one step
            wait_until(lambda: all(2 in mine for mine in answers))
        assert errors == []
        assert all(set(mine) == {1, 2} and mine == sorted(mine) for mine in answers)
        wait_until(lambda: registry.states.of("echo")[1].stage == END)
        with pytest.raises(RequestError, match=r"[Cc]losed"):
            first.run({}, [first.signatures["dtypes"].outputs["bool"].name])


def test_a_corrupt_version_under_a_storm_of_requests_is_refused(
    echo: Path, echo_base: Path
) -> None:
    registry, answers, errors = Registry(), list[list[int]](), list[BaseException]()
    watching = Watching(poll_seconds=0.05, max_load_retries=0)
    with Manager(registry, load=Loader(), watching=watching) as manager:
        manager.start(config_of(("echo", echo)))
        with storm(Service(registry, manager=manager), answers, errors):
            broken = shutil.copytree(echo_base / "2", echo.parent / "broken")
            whole = (broken / "saved_model.pb").read_bytes()
            (broken / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
            broken.rename(echo / "2")
            wait_until(
                lambda: (
                    2 in registry.states.of("echo") and registry.states.of("echo")[2].stage == END
                )
            )
            message = registry.states.of("echo")[2].message
        assert errors == []
        assert {version for mine in answers for version in mine} == {1}
        assert message
        assert str(echo.parent) not in message


def test_a_tf1_model_is_managed_like_any_other(half_plus_two_base: Path) -> None:
    registry = Registry()
    with Manager(registry, load=Loader()) as manager:
        manager.start(config_of(("half_plus_two", half_plus_two_base)))
        assert registry.find(ModelSpec(name="half_plus_two")).version == 123
