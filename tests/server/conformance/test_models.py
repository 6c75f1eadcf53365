"""The models and their life: metadata, status, versions, policies, reloads."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server.conformance.conftest import Reload
from tests.server.conformance.engines import Served
from tests.server.conformance.models import Models
from tests.server.fakes import wait_until
from tests.server.messages import model_spec, predict_request, strings

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50
STATES = [START, LOADING, AVAILABLE, UNLOADING, END]


def metadata(*fields: str, **spec: Any) -> GetModelMetadataRequest:
    return GetModelMetadataRequest(
        metadata_field=fields, model_spec=model_spec(**{"model": "echo", **spec})
    )


# GetModelMetadata


@pytest.mark.parametrize(
    ("model", "version"), [("echo", 2), ("half_plus_two", 123), ("columns", 1)]
)
def test_metadata_holds_the_signatures_of_the_file(
    served: Served, models: Models, model: str, version: int
) -> None:
    actual = SignatureDefMap()
    response = served.stub.GetModelMetadata(metadata("signature_def", model=model))
    assert list(response.metadata) == ["signature_def"]
    assert (
        response.metadata["signature_def"].type_url
        == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    )
    assert response.metadata["signature_def"].Unpack(actual)
    file = models.bases[model] / str(version) / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes()).meta_graphs[0].signature_def
    assert dict(actual.signature_def) == dict(saved)


def test_metadata_echoes_name_and_version_but_no_signature(served: Served) -> None:
    request = metadata("signature_def", signature="pairs", label="stable")
    spec = served.stub.GetModelMetadata(request).model_spec
    assert spec == ModelSpec(name="echo", version={"value": 1})


@pytest.mark.parametrize(
    ("request_", "code", "details"),
    [
        (
            metadata(),
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            GetModelMetadataRequest(metadata_field=["signature_def"]),
            "INVALID_ARGUMENT",
            "Missing ModelSpec",
        ),
        (
            metadata("signature_def", model=""),
            "INVALID_ARGUMENT",
            "ModelSpec has no name specified.",
        ),
        (
            metadata("signature_def", model="x"),
            "NOT_FOUND",
            "Servable not found for request: Latest(x)",
        ),
        (
            metadata("signature_def", version=7),
            "NOT_FOUND",
            "Servable not found for request: Specific(echo, 7)",
        ),
        (
            metadata("signature_def", label="L"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: L",
        ),
    ],
    ids=[
        "no field",
        "no model_spec",
        "empty name",
        "unknown model",
        "unknown version",
        "unknown label",
    ],
)
def test_metadata_that_is_not_there_is_refused(
    served: Served, request_: GetModelMetadataRequest, code: str, details: str
) -> None:
    assert served.refusal("GetModelMetadata", request_) == (code, details)


def test_another_metadata_field_is_refused_and_named(served: Served) -> None:
    code, details = served.refusal("GetModelMetadata", metadata("signature_def", "weights"))
    # Only the start: some versions of TF Serving print the field behind a literal "%s".
    assert (code, details[:15], "weights" in details) == (
        "INVALID_ARGUMENT",
        "Metadata field ",
        True,
    )
    assert "is not supported" in details


def test_another_metadata_field_comes_before_an_unknown_model(served: Served) -> None:
    code, details = served.refusal("GetModelMetadata", metadata("weights", model="nobody"))
    assert (code, details[:15]) == ("INVALID_ARGUMENT", "Metadata field ")


# GetModelStatus, policies


@pytest.mark.parametrize(
    ("model", "versions"),
    [
        ("latest", [3]),
        ("latest_two", [3, 2]),
        ("every", [3, 2, 1]),
        ("specific", [3, 1]),
        ("echo", [2, 1]),
    ],
)
def test_a_policy_chooses_the_versions_and_status_lists_the_largest_first(
    served: Served, model: str, versions: list[int]
) -> None:
    assert list(served.states(model).items()) == [(version, AVAILABLE) for version in versions]


@pytest.mark.parametrize("model", ["latest", "latest_two", "every", "specific"])
def test_models_of_one_folder_answer_each_by_its_own_versions(served: Served, model: str) -> None:
    inputs = {"x": tf.make_tensor_proto([[1.0]])}
    for version in (1, 2, 3):
        request = predict_request(inputs, model=model, version=version, output_filter=["y"])
        if version in served.states(model):
            assert served.stub.Predict(request).model_spec == model_spec(
                model, version=version, signature="serving_default"
            )
        else:
            expected = (
                "NOT_FOUND",
                f"Servable not found for request: Specific({model}, {version})",
            )
            assert served.refusal("Predict", request) == expected


def test_status_of_one_version(served: Served) -> None:
    request = GetModelStatusRequest(model_spec=model_spec("echo", version=1))
    (status,) = served.models.GetModelStatus(request).model_version_status
    assert (status.version, status.state) == (1, AVAILABLE)
    assert status.HasField("status")
    assert (status.status.error_code, status.status.error_message) == (0, "")


def test_a_label_chooses_nothing_for_status(served: Served) -> None:
    request = GetModelStatusRequest(model_spec=model_spec("echo", label="stable"))
    actual = served.models.GetModelStatus(request).model_version_status
    assert [status.version for status in actual] == [2, 1]


@pytest.mark.parametrize(
    ("spec", "details"),
    [
        ({"model": "x"}, "Could not find any versions of model x"),
        ({"model": ""}, "Could not find any versions of model "),
        ({"model": "echo", "version": 7}, "Could not find version 7 of model echo"),
        ({"model": "x", "version": 7}, "Could not find version 7 of model x"),
    ],
    ids=["unknown model", "empty name", "unknown version", "version of an unknown model"],
)
def test_status_of_what_is_not_known_is_not_found(
    served: Served, spec: dict[str, Any], details: str
) -> None:
    request = GetModelStatusRequest(model_spec=model_spec(**spec))
    assert served.refusal("GetModelStatus", request) == ("NOT_FOUND", details)


def test_status_needs_a_model_spec(served: Served) -> None:
    assert served.refusal("GetModelStatus", GetModelStatusRequest()) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )


def test_a_new_version_takes_the_place_of_the_old_one_without_a_dropped_request(
    served: Served, models: Models, tmp_path: Path
) -> None:
    request = predict_request({"text": strings("a")}, model="moving")
    assert served.stub.Predict(request).model_spec.version.value == 1
    shutil.copytree(models.bases["moving"] / "1", tmp_path / "2")
    # A rename on one file system is atomic, so no engine sees half a version.
    shutil.move(tmp_path / "2", models.bases["moving"] / "2")
    versions: list[int] = []

    def has_moved() -> bool:
        versions.append(served.stub.Predict(request, timeout=30).model_spec.version.value)
        return served.states("moving") == {2: AVAILABLE, 1: END}

    wait_until(has_moved)
    assert served.stub.Predict(request).model_spec.version.value == 2
    assert versions == sorted(versions)


# HandleReloadConfigRequest


def test_a_reload_adds_a_model_and_answers_when_it_is_available(
    served: Served, models: Models, reload: Reload
) -> None:
    config = models.config()
    config.model_config_list.config.append(models.make_entry("added", of="half_plus_two"))
    response = reload(config)
    assert response.HasField("status")
    assert (response.status.error_code, response.status.error_message) == (0, "")
    assert served.states("added") == {123: AVAILABLE}


def test_a_reload_removes_a_model(served: Served, models: Models, reload: Reload) -> None:
    config = models.config()
    config.model_config_list.config.append(models.make_entry("to_remove", of="half_plus_two"))
    reload(config)
    reload(models.config())
    wait_until(lambda: served.states("to_remove") == {123: END})
    request = predict_request({"x": tf.make_tensor_proto([[1.0]])}, model="to_remove")
    assert served.refusal("Predict", request) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(to_remove)",
    )


def test_a_reload_moves_a_label(served: Served, models: Models, reload: Reload) -> None:
    config = models.config()
    for model in config.model_config_list.config:
        if model.name == "echo":
            model.version_labels.update({"stable": 2, "canary": 1})
    reload(config)
    request = predict_request({"text": strings("a")}, label="stable")
    assert served.stub.Predict(request).model_spec.version.value == 2


def test_a_reload_changes_the_policy(served: Served, models: Models, reload: Reload) -> None:
    config = models.config()
    for model in config.model_config_list.config:
        if model.name == "latest":
            model.model_version_policy.specific.versions.append(1)
    reload(config)
    wait_until(
        lambda: (
            served.states("latest", 1) == {1: AVAILABLE} and served.states("latest", 3) == {3: END}
        )
    )
    reload(models.config())
    wait_until(lambda: served.states("latest", 3) == {3: AVAILABLE})


def test_a_version_is_loaded_and_unloaded_through_all_its_states(
    served: Served, models: Models, reload: Reload
) -> None:
    config = models.config()
    config.model_config_list.config.append(models.make_entry("slow_to_load"))
    seen: list[int] = []

    def see(last: int) -> bool:
        actual = set(served.states("slow_to_load").values())
        seen.extend(actual - set(seen[-1:]))
        return last in actual

    reloaded = served.models.HandleReloadConfigRequest.future(
        ReloadConfigRequest(config=config), timeout=120
    )
    wait_until(lambda: see(LOADING))
    models.go.touch()
    wait_until(lambda: see(AVAILABLE))
    reloaded.result()
    # It is unloaded after its last in-flight request.
    began, done = models.folder / "began", models.folder / "done"
    files = {"began": tf.make_tensor_proto(str(began)), "done": tf.make_tensor_proto(str(done))}
    under_way = served.stub.Predict.future(
        predict_request(files, model="slow_to_load"), timeout=120
    )
    wait_until(began.exists)
    reload(models.config())
    wait_until(lambda: see(UNLOADING))
    done.touch()
    wait_until(lambda: see(END))
    under_way.result()
    assert seen == sorted(seen)
    assert {LOADING, AVAILABLE, UNLOADING, END} <= set(seen) <= set(STATES)


ONLY_LISTS = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
    "Only ModelConfigList is currently supported"
)


@pytest.mark.parametrize(
    "config",
    [None, ModelServerConfig(custom_model_config={})],
    ids=["no config", "a custom config"],
)
def test_a_reload_takes_lists_only(served: Served, config: ModelServerConfig | None) -> None:
    request = ReloadConfigRequest(config=config)
    assert served.refusal("HandleReloadConfigRequest", request) == ("INVALID_ARGUMENT", ONLY_LISTS)


def test_a_reload_with_two_models_of_one_name_is_refused_and_changes_nothing(
    served: Served, models: Models
) -> None:
    config = models.config()
    config.model_config_list.config.append(models.make_entry("echo"))
    code, details = served.refusal("HandleReloadConfigRequest", ReloadConfigRequest(config=config))
    assert (code, "echo" in details) == ("INVALID_ARGUMENT", True)
    assert served.states("echo") == {2: AVAILABLE, 1: AVAILABLE}


def test_a_reload_that_moves_a_label_to_an_unavailable_version_is_refused(
    served: Served, models: Models
) -> None:
    config = text_format.Parse(text_format.MessageToString(models.config()), ModelServerConfig())
    for model in config.model_config_list.config:
        if model.name == "echo":
            model.version_labels["stable"] = 9
    code, details = served.refusal("HandleReloadConfigRequest", ReloadConfigRequest(config=config))
    assert code == "FAILED_PRECONDITION"
    assert details.startswith(
        "Request to assign label to version 9 of model echo, which is not currently available"
    )
