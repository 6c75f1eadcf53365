"""ModelService over gRPC, as a client without tfclf sees it: TF_SERVING.md, section 6."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.apis.model_service_pb2_grpc import (
    ModelServiceStub,
    add_ModelServiceServicer_to_server,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceStub,
    add_PredictionServiceServicer_to_server,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server.conftest import predict_request, strings
from tests.server.fakes import Loads, wait_until, write_version
from tfclf.server.context import RequestContext
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.manager import Manager
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.request_record import RequestRecord
from tfclf.server.runtime.registry import Registry
from tfclf.server.service import Service
from tfclf.server.status import RequestError
from tfclf.server.transport.grpc_service import ModelService, PredictionService


class Served:
    """A server of its own, with versions that take no time to load."""

    def __init__(self, folder: Path, channel: grpc.Channel, manager: Manager, loads: Loads) -> None:
        self.folder = folder
        self.channel = channel
        self.stub = ModelServiceStub(channel)
        self.manager = manager
        self.loads = loads

    def status(self, **spec: Any) -> GetModelStatusResponse:
        request = GetModelStatusRequest()
        request.model_spec.name = spec.pop("name", "demo")
        if "version" in spec:
            request.model_spec.version.value = spec["version"]
        if "label" in spec:
            request.model_spec.version_label = spec["label"]
        return self.stub.GetModelStatus(request, timeout=60)

    def versions(self, **spec: Any) -> list[tuple[int, int]]:
        return [(each.version, each.state) for each in self.status(**spec).model_version_status]

    def config(self, *names: str, **fields: Any) -> ModelServerConfig:
        config = ModelServerConfig(model_config_list={})
        for name in names:
            model = {"base_path": str(self.folder / name), "model_platform": "tensorflow"} | fields
            config.model_config_list.config.add(name=name, **model)
        return config

    def reload(
        self, config: ModelServerConfig | None, *, timeout: float = 60
    ) -> ReloadConfigResponse:
        return self.stub.HandleReloadConfigRequest(
            ReloadConfigRequest(config=config), timeout=timeout
        )

    def refusal(self, config: ModelServerConfig | None, *, timeout: float = 60) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as raised:
            self.reload(config, timeout=timeout)
        return raised.value.code().name, raised.value.details()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    write_version(tmp_path / "demo", 1)
    write_version(tmp_path / "other", 5)
    registry, loads = Registry(), Loads()
    watching = Watching(poll_seconds=0.02, max_load_retries=0)
    with Manager(registry, load=loads, watching=watching) as manager:
        server = grpc.server(ThreadPoolExecutor(4))
        add_ModelServiceServicer_to_server(ModelService(Service(registry, manager=manager)), server)
        port = server.add_insecure_port("127.0.0.1:0")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            served = Served(tmp_path, channel, manager, loads)
            manager.start(served.config("demo"))
            server.start()
            yield served
            loads.gate.set()
            server.stop(0).wait()


# GetModelStatus


def test_an_available_version(served: Served) -> None:
    (version,) = served.status().model_version_status
    assert (version.version, version.state) == (1, 30)
    assert version.HasField("status")
    assert (version.status.error_code, version.status.error_message) == (0, "")


def test_the_sequence_of_a_version_s_states(served: Served) -> None:
    served.loads.gate.clear()
    write_version(served.folder / "demo", 2)
    wait_until(lambda: served.versions() == [(2, 20), (1, 30)])
    served.loads.gate.set()
    wait_until(lambda: served.versions() == [(2, 30), (1, 50)])


def test_versions_that_wait_for_their_turn_have_started(served: Served) -> None:
    served.loads.gate.clear()
    for version in (2, 3):
        write_version(served.folder / "demo", version)
    served.manager.reload(served.config("demo", model_version_policy={"all": {}}))
    wait_until(lambda: served.versions() == [(3, 20), (2, 10), (1, 30)])


def test_a_version_that_could_not_be_loaded_says_why_without_a_path(served: Served) -> None:
    write_version(served.folder / "demo", 2, "corrupt")
    wait_until(lambda: served.versions() == [(2, 50), (1, 30)])
    status = served.status(version=2).model_version_status[0].status
    assert (status.error_code, status.error_message) == (
        2,
        "demo/2 cannot be loaded: it is corrupt",
    )


def test_one_version(served: Served) -> None:
    write_version(served.folder / "demo", 2)
    wait_until(lambda: served.versions() == [(2, 30), (1, 50)])
    assert served.versions(version=1) == [(1, 50)]


def test_a_label_gives_all_versions_as_tf_serving_does(served: Served) -> None:
    assert served.versions(label="nobody's") == [(1, 30)]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"name": "nobody"}, "Could not find any versions of model nobody"),
        ({"name": ""}, "Could not find any versions of model "),
        ({"version": 7}, "Could not find version 7 of model demo"),
        ({"name": "nobody", "version": 7}, "Could not find version 7 of model nobody"),
    ],
)
def test_what_is_not_known_is_not_found(served: Served, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        served.status(**spec)
    assert (raised.value.code().name, raised.value.details()) == ("NOT_FOUND", words)


def test_a_missing_spec_is_named(served: Served) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        served.stub.GetModelStatus(GetModelStatusRequest(), timeout=60)
    assert (raised.value.code().name, raised.value.details()) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )


def test_a_removed_model_is_remembered(served: Served) -> None:
    served.reload(served.config("other"))
    wait_until(lambda: served.versions() == [(1, 50)])


# HandleReloadConfigRequest


def test_a_reload_is_answered_when_its_new_models_are_available(served: Served) -> None:
    response = served.reload(served.config("demo", "other"))
    assert response.HasField("status")
    assert (response.status.error_code, response.status.error_message) == (0, "")
    assert served.versions(name="other") == [(5, 30)]


def test_all_models_may_go(served: Served) -> None:
    served.reload(served.config())
    wait_until(lambda: served.versions() == [(1, 50)])


ONLY_LISTS = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
    "Only ModelConfigList is currently supported"
)


@pytest.mark.parametrize(
    "config", [None, ModelServerConfig(), ModelServerConfig(custom_model_config={})]
)
def test_only_lists_of_models_are_taken(served: Served, config: ModelServerConfig | None) -> None:
    assert served.refusal(config) == ("INVALID_ARGUMENT", ONLY_LISTS)


def test_two_models_of_one_name_are_refused_and_change_nothing(served: Served) -> None:
    words = "Illegal to list model demo multiple times in config list"
    assert served.refusal(served.config("other", "demo", "demo")) == ("INVALID_ARGUMENT", words)
    assert served.versions() == [(1, 30)]


def test_a_label_for_an_unavailable_version_is_refused(served: Served) -> None:
    words = (
        "Request to assign label to version 9 of model demo, "
        "which is not currently available for inference"
    )
    assert served.refusal(served.config("demo", version_labels={"stable": 9})) == (
        "FAILED_PRECONDITION",
        words,
    )


def test_a_new_model_that_cannot_be_loaded_is_the_answer(served: Served) -> None:
    write_version(served.folder / "bad", 3, "corrupt")
    code, words = served.refusal(served.config("demo", "bad"))
    assert code == "UNKNOWN"
    assert words.startswith(
        "1 model(s) did not become available: {{{name: bad version: 3} due to error: UNKNOWN: "
    )
    assert str(served.folder) not in words


def test_a_deadline_ends_the_wait(served: Served) -> None:
    served.loads.gate.clear()
    served.status()  # to connect
    assert served.refusal(served.config("demo", "other"), timeout=1.5)[0] == "DEADLINE_EXCEEDED"
    served.loads.gate.set()
    wait_until(lambda: served.versions(name="other") == [(5, 30)])


def test_a_client_that_hangs_up_leaves_the_way_free_for_the_next_reload(served: Served) -> None:
    served.loads.gate.clear()
    request = ReloadConfigRequest(config=served.config("demo", "other"))
    future = served.stub.HandleReloadConfigRequest.future(request)
    wait_until(lambda: served.loads.tried[-1] == ("other", 5))
    future.cancel()
    threading.Timer(0.3, served.loads.gate.set).start()
    served.reload(served.config("demo"))
    assert served.versions() == [(1, 30)]


def test_the_error_stands_in_the_body_too() -> None:
    class Context:
        """A ServicerContext that remembers its status."""

        def __init__(self) -> None:
            self.status: list[Any] = []

        def time_remaining(self) -> None: ...

        def add_callback(self, _: Any) -> bool:
            return True

        def invocation_metadata(self) -> tuple[()]:
            return ()

        def set_trailing_metadata(self, _: Any) -> None: ...

        def set_code(self, code: grpc.StatusCode) -> None:
            self.status.append(code)

        def set_details(self, details: str) -> None:
            self.status.append(details)

    context, manager = Context(), Manager(Registry(), load=Loads())
    service = ModelService(Service(Registry(), manager=manager))
    response = service.HandleReloadConfigRequest(ReloadConfigRequest(), context)
    assert (response.status.error_code, response.status.error_message) == (3, ONLY_LISTS)
    assert context.status == [grpc.StatusCode.INVALID_ARGUMENT, ONLY_LISTS]


def test_a_server_of_fixed_models_takes_no_reload() -> None:
    with pytest.raises(RequestError) as raised:
        Service(Registry()).handle_reload_config(ReloadConfigRequest(), RequestContext())
    assert raised.value.code is grpc.StatusCode.UNIMPLEMENTED


def test_both_methods_are_observed() -> None:
    records: list[RequestRecord] = []
    service = Service(Registry(), observers=[records.append])
    request = GetModelStatusRequest()
    request.model_spec.name = "demo"
    for method, sent in [
        (service.get_model_status, request),
        (service.handle_reload_config, ReloadConfigRequest()),
    ]:
        with pytest.raises(RequestError):
            method(sent, RequestContext(), protocol="rest")
    assert [(each.method, each.model, each.protocol) for each in records] == [
        ("GetModelStatus", "demo", "rest"),
        ("HandleReloadConfigRequest", "", "rest"),
    ]


# With a real model and predictions


def test_a_model_that_a_reload_brings_answers_predictions(echo_base: Path, tmp_path: Path) -> None:
    shutil.copytree(echo_base / "2", tmp_path / "echo" / "2")
    registry = Registry()
    watching = Watching(reload_roots=(tmp_path,))
    with Manager(registry, load=Loader(), watching=watching) as manager:
        service = Service(registry, manager=manager)
        server = grpc.server(ThreadPoolExecutor(4))
        add_ModelServiceServicer_to_server(ModelService(service), server)
        add_PredictionServiceServicer_to_server(PredictionService(service), server)
        port = server.add_insecure_port("127.0.0.1:0")
        manager.start(ModelServerConfig(model_config_list={}))
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            config = ModelServerConfig(model_config_list={})
            config.model_config_list.config.add(
                name="echo", base_path=str(tmp_path / "echo"), model_platform="tensorflow"
            )
            ModelServiceStub(channel).HandleReloadConfigRequest(
                ReloadConfigRequest(config=config), timeout=60
            )
            predicted = PredictionServiceStub(channel).Predict(
                predict_request({"text": strings("a")}), timeout=60
            )
        server.stop(0).wait()
    assert predicted.model_spec.version.value == 2


@pytest.mark.parametrize(
    "path", ["/etc/models/demo", "{root}/../../elsewhere/demo", "{root}-other/demo"]
)
def test_a_reload_cannot_name_folders_beside_those_of_the_start(served: Served, path: str) -> None:
    config = served.config("demo")
    config.model_config_list.config.add(
        name="other", base_path=path.format(root=served.folder), model_platform="tensorflow"
    )
    with pytest.raises(grpc.RpcError) as raised:
        served.reload(config)
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "other is outside the folders" in raised.value.details()
    assert str(served.folder) not in raised.value.details()
