"""models.config: what is accepted, and which words refuse the rest."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from tests.server.fakes import write_version
from tfclf.errors import ServerError
from tfclf.server.lifecycle.model_config import (
    ConfigError,
    check_base_path,
    check_models,
    read_model_config,
    single_model,
)

COMPLETE = """\
# a comment
model_config_list {
  config {
    name: "demo"
    base_path: "/models/demo"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 }
  }
  config { name: "other" base_path: "/models/demo" model_platform: "tensorflow" }
}
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "models.config"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def model_of(**fields: Any) -> ModelConfig:
    return ModelConfig(
        **{"name": "demo", "base_path": "/models/demo", "model_platform": "tensorflow"} | fields
    )


def config_of(*models: ModelConfig) -> ModelServerConfig:
    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    config.model_config_list.config.extend(models)
    return config


def test_a_whole_file_is_read_and_two_models_may_share_a_base_path(tmp_path: Path) -> None:
    demo, other = read_model_config(write(tmp_path, COMPLETE)).model_config_list.config
    assert list(demo.model_version_policy.specific.versions) == [1, 2]
    assert dict(demo.version_labels) == {"stable": 1}
    assert demo.base_path == other.base_path


def test_an_empty_list_is_read(tmp_path: Path) -> None:
    assert not read_model_config(write(tmp_path, "model_config_list {}")).model_config_list.config


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "model_config_list {\n  config { nme: 'a' }\n}",
            'line 2, column 12.*no field named "nme"',
        ),
        ("model_config_list {\n", "line "),
        ("model_config_list { config { name: 'a\n' } }", "line 1, column 36"),
        ("models: {}", "line 1, column 1"),
        ('{"model_config_list": {}}', "line 1, column 1"),
        (
            "model_config_list { config { model_version_policy { latest { num_versions: -1 } } } }",
            "line 1",
        ),
        ("model_config_list { config { model_version_policy { latest {} all {} } } }", "line 1"),
    ],
    ids=[
        "unknown field",
        "cut",
        "open string",
        "unknown list",
        "JSON",
        "negative number",
        "two policies",
    ],
)
def test_text_that_cannot_be_parsed_is_named_with_its_place(
    tmp_path: Path, text: str, place: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ServerError) as raised:
        read_model_config(path)
    message = str(raised.value)
    assert message.startswith("Error parsing text-format tensorflow.serving.ModelServerConfig: ")
    assert str(path) in message
    assert all(re.search(part, message) for part in place.split(".*"))


@pytest.mark.parametrize("text", ["", "  \n# nothing but a comment\n"], ids=["empty", "comment"])
def test_a_file_without_a_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ServerError, match=r"models\.config lists no models"):
        read_model_config(write(tmp_path, text))


def test_a_custom_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="Only ModelConfigList is currently supported"):
        read_model_config(write(tmp_path, "custom_model_config { type_url: 'x' }"))


@pytest.mark.parametrize("name", ["nowhere", "."], ids=["missing", "a folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ServerError, match=r"cannot be read: .*Expected a text file"):
        read_model_config(tmp_path / name)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"cannot be read: .*utf-8"):
        read_model_config(write(tmp_path, b"\xff\xfe"))


@given(text=st.text())
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = write(tmp_path_factory.mktemp("configs"), text.encode("utf-8", "replace"))
    with pytest.raises(ServerError):  # hypothesis hardly ever writes a list of models
        read_model_config(path)


REFUSED = [
    ([{"name": ""}], "ModelConfig 1 (base_path '/models/demo') has no name"),
    ([{}, {}], "Illegal to list model demo multiple times in config list"),
    ([{"base_path": ""}], "Expected model demo to have an absolute path or URI; got base_path()="),
    (
        [{"base_path": "a/b"}],
        "Expected model demo to have an absolute path or URI; got base_path()=a/b",
    ),
    ([{"model_platform": "caffe"}], "Model demo requests unsupported platform caffe"),
    (
        [{"model_platform": "", "model_type": 2}],
        "ModelServerConfig::model_type choice 2 not supported.",
    ),
    (
        [{"model_type": 1}],
        "Illegal setting both ModelServerConfig::model_type (deprecated) and "
        "ModelServerConfig::model_platform.",
    ),
]


@pytest.mark.parametrize(("models", "words"), REFUSED)
def test_tf_serving_s_words(models: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_models(config_of(*[model_of(**model) for model in models]))
    assert (raised.value.code, raised.value.message) == (StatusCode.INVALID_ARGUMENT, words)


@pytest.mark.parametrize(("models", "words"), REFUSED)
def test_in_a_file_the_error_names_the_file_and_what_to_do(
    tmp_path: Path, models: list[dict[str, Any]], words: str
) -> None:
    path = write(tmp_path, str(config_of(*[model_of(**model) for model in models])))
    with pytest.raises(ServerError) as raised:
        read_model_config(path)
    message = str(raised.value)
    assert message.startswith(words.rstrip("."))
    assert f"Found in {path}. " in message
    assert len(message) > len(words) + len(f". Found in {path}. ") + 20


@pytest.mark.parametrize(
    "fields", [{"model_platform": ""}, {"model_platform": "", "model_type": 1}]
)
def test_tensorflow_goes_without_saying(
    fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        check_models(config_of(model_of(**fields)))
    assert ("TF Serving refuses that" in caplog.text) == ("model_type" not in fields)


def test_a_missing_base_path_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    with pytest.raises(ConfigError) as raised:
        check_base_path(model_of(base_path=str(path)))
    assert raised.value.code is StatusCode.INVALID_ARGUMENT
    assert raised.value.message.startswith(
        f"Could not find base path {path} for servable demo with error NOT_FOUND"
    )
    assert "there is no such folder" in raised.value.advice


def test_a_base_path_that_is_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Could not find base path") as raised:
        check_base_path(model_of(base_path=str(write(tmp_path, ""))))
    assert "that is a file" in raised.value.advice


@pytest.mark.parametrize("path", ["gs://bucket/model", "/a\0b"])
def test_a_base_path_that_no_folder_can_have_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="Could not find base path"):
        check_base_path(model_of(base_path=path))


def test_a_base_path_without_versions_is_named_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "model.h5").touch()
    with pytest.raises(ConfigError) as raised:
        check_base_path(model_of(base_path=str(tmp_path)))
    assert raised.value.code is StatusCode.NOT_FOUND
    assert (
        raised.value.message
        == f"Unable to find a numerical version path for servable demo at: {tmp_path}"
    )
    assert "It holds model.h5. Expected folders named with a number" in raised.value.advice


def test_a_single_model_is_a_list_of_one(tmp_path: Path) -> None:
    write_version(tmp_path / "demo", 1)
    config = single_model("demo", tmp_path / "demo")
    check_models(config)
    check_base_path(config.model_config_list.config[0])


def test_a_version_for_a_base_path_is_told_from_a_folder_without_versions(tmp_path: Path) -> None:
    write_version(tmp_path / "demo", 1)
    with pytest.raises(ConfigError) as raised:
        check_base_path(ModelConfig(name="demo", base_path=f"{tmp_path}/demo/1"))
    assert raised.value.advice.endswith(
        f"That is a version itself; the base path is the folder above it: {tmp_path}/demo."
    )


def test_a_saved_model_without_a_number_is_told_from_a_folder_without_versions(
    tmp_path: Path,
) -> None:
    write_version(tmp_path, 1).rename(tmp_path / "demo")
    with pytest.raises(ConfigError) as raised:
        check_base_path(ModelConfig(name="demo", base_path=f"{tmp_path}/demo"))
    assert f"move it to where a version is: {tmp_path}/demo/1/saved_model.pb" in raised.value.advice


@pytest.mark.parametrize(
    ("given", "base_path"),
    [
        ("demo", "{cwd}/demo"),
        ("./demo", "{cwd}/demo"),
        ("~/demo", "/home/of/mine/demo"),
        ("~no-such-user/demo", "{cwd}/~no-such-user/demo"),
        ("gs://bucket/demo", "gs://bucket/demo"),
        ("/models/demo/", "/models/demo"),
    ],
)
def test_the_base_path_of_a_single_model_becomes_absolute(
    given: str, base_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/mine")
    absolute = single_model("demo", given).model_config_list.config[0].base_path
    assert absolute == base_path.format(cwd=Path.cwd())


def test_the_base_path_of_a_single_model_may_be_a_link_that_changes(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tmp_path)
    assert (
        single_model("demo", tmp_path / "current").model_config_list.config[0].base_path
        == f"{tmp_path}/current"
    )
