"""models.config, which lists the models to serve, and its checks, which a reload's config gets too.

The checks, their order and their words are TF Serving's: server_core.cc (ReloadConfig and what it
calls) and file_system_storage_path_source.cc.
"""

import logging
import os
import re
from pathlib import Path

from google.protobuf import text_format
from grpc import StatusCode
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelServerConfig,
    ModelType,
)

from tfclf.errors import ServerError
from tfclf.files import list_folder
from tfclf.saved_model.versions import find_versions, holds_saved_model
from tfclf.server.lifecycle.version_policy import Policy
from tfclf.server.status import RequestError

_log = logging.getLogger(__name__)

PLATFORM = "tensorflow"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9.+-]*://")
_EXAMPLE = (
    'model_config_list { config { name: "demo" base_path: "/models/demo" '
    'model_platform: "tensorflow" } }'
)


class ConfigError(RequestError):
    """A configuration that is refused and changes nothing.

    Attributes:
      message: TF Serving's words, which a client gets.
      advice: what was expected and what to do next, for the operator of the server.
    """

    def __init__(self, code: StatusCode, message: str, advice: str) -> None:
        super().__init__(code, message)
        self.advice = advice

    def as_server_error(self, source: str) -> ServerError:
        """Return the error for the operator of the server.

        >>> print(_invalid("Model x has no name.", "Give it one.").as_server_error("models.config"))
        Model x has no name. Found in models.config. Give it one.

        Args:
          source: the source of the configuration, such as a file's path.
        """
        return ServerError(f"{self.message.rstrip('.')}. Found in {source}. {self.advice}")


def single_model(
    name: str, base_path: str | Path, *, policy: Policy | None = None
) -> ModelServerConfig:
    """Return the configuration of one model (`--model_name`, `--model_base_path`).

    >>> single_model("demo", "/models/demo").model_config_list.config[0].base_path
    '/models/demo'

    Args:
      base_path: a path that is relative or begins with ~ becomes absolute (a shell does not expand
        ~ after `=`); a URI stays, for `check_base_path` to refuse.
      policy: the versions to serve; by default the latest.
    """
    path = str(base_path)
    if not _URI.match(path):
        # Do not resolve links: one may lead to another folder tomorrow. Path.expanduser would raise
        # for an unknown ~user.
        path = str(Path(os.path.expanduser(path)).absolute())  # noqa: PTH111
    config = ModelServerConfig()
    model = config.model_config_list.config.add(name=name, base_path=path, model_platform=PLATFORM)
    if policy is not None:
        model.model_version_policy.CopyFrom(policy)
    return config


def read_model_config(path: Path) -> ModelServerConfig:
    """Read a text-format ModelServerConfig, such as the example in serving/config/models.config.

    An empty list of models (`model_config_list {}`) is accepted: a reload may bring some. A file
    without any list is refused, since it is probably truncated. The paths that the file names are
    not looked at.

    Raises: ServerError.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ServerError(
            f"{path} cannot be read: {reason}. Expected a text file that lists models: {_EXAMPLE}. "
            f"Correct the path or the file's rights."
        ) from error
    try:
        config = text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        raise ServerError(_describe_parse_error(path, error)) from error
    kind = config.WhichOneof("config")
    if kind is None:
        raise ServerError(
            f"{path} lists no models: the file names no model_config_list. Expected {_EXAMPLE}."
        )
    try:
        check_models(config)
    except ConfigError as error:
        raise error.as_server_error(str(path)) from error
    return config


def list_base_paths(models: Path) -> list[Path]:
    """List the base paths of a models.config; another path stands for itself.

    Nothing is checked: `read_model_config` does that, with TensorFlow started.
    """
    if not models.is_file():
        return [models]
    try:
        config = text_format.Parse(models.read_text("utf-8"), ModelServerConfig())
    except (OSError, ValueError, text_format.ParseError):
        return []
    return [Path(model.base_path) for model in config.model_config_list.config]


def _describe_parse_error(path: Path, error: text_format.ParseError) -> str:
    line, column = error.GetLine() or 0, error.GetColumn() or 0
    reason = str(error).removeprefix(f"{line}:{column} : ").rstrip(".")
    return (
        f"Error parsing text-format tensorflow.serving.ModelServerConfig: {line}:{column}: "
        f"{reason}. Found in {path}, line {line}, column {column}. Expected the text form of the "
        f"message, as in {_EXAMPLE}. Correct that line."
    )


def check_models(config: ModelServerConfig) -> None:
    """Check a configuration without looking at the file system or at what is loaded.

    Raises: ConfigError.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise _invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported",
            f"Expected {_EXAMPLE}.",
        )
    names: set[str] = set()
    for number, model in enumerate(config.model_config_list.config, 1):
        if not model.name:
            raise _invalid(
                f"ModelConfig {number} (base_path {model.base_path!r}) has no name",
                'Give it one: name: "demo". Requests call the model by it.',
            )
        if model.name in names:
            raise _invalid(
                f"Illegal to list model {model.name} multiple times in config list",
                f"It is model {number} of the list, and one before it. "
                f"Give each model a name of its own.",
            )
        names.add(model.name)
    for model in config.model_config_list.config:
        if not (Path(model.base_path).is_absolute() or _URI.match(model.base_path)):
            raise _invalid(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}",
                "Write the whole path of the folder that holds the versions, from / on.",
            )
        _check_platform(model)


def _check_platform(model: ModelConfig) -> None:
    advice = (
        f'Expected model_platform: "{PLATFORM}", the only one that this server has. Write that.'
    )
    platform = model.model_platform
    if model.model_type != ModelType.MODEL_TYPE_UNSPECIFIED:
        if platform:
            raise _invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) "
                "and ModelServerConfig::model_platform.",
                advice,
            )
        if model.model_type != ModelType.TENSORFLOW:
            raise _invalid(
                f"ModelServerConfig::model_type choice {model.model_type} not supported.", advice
            )
    elif not platform:
        # Accepted, since this server has only one platform. TF Serving would refuse the file.
        _log.warning(
            'model %r has no model_platform: TF Serving refuses that; write "%s"',
            model.name,
            PLATFORM,
        )
    elif platform != PLATFORM:
        raise _invalid(f"Model {model.name} requests unsupported platform {platform}", advice)
    if model.HasField("logging_config"):
        _log.warning(
            "model %r: logging_config is ignored: this server logs no requests to files",
            model.name,
        )


def check_base_path(model: ModelConfig) -> None:
    """Check that there is a version to load; TF Serving would wait for one for ever.

    Raises: ConfigError.
    """
    name, path = model.name, model.base_path
    if _URI.match(path):
        raise _invalid(
            f"Could not find base path {path} for servable {name}",
            "This server reads folders of this machine only. Copy the model here, or mount it.",
        )
    folder = Path(path)
    try:
        versions = find_versions(folder, passed_over=lambda _: None)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _invalid(
            f"Could not find base path {path} for servable {name} with error NOT_FOUND: "
            f"{path} not found",
            f"Here {_describe_os_error(error)}. Expected a folder of versions: "
            f"{path}/1/saved_model.pb. Correct base_path.",
        ) from error
    if not versions:
        raise ConfigError(
            StatusCode.NOT_FOUND,
            f"Unable to find a numerical version path for servable {name} at: {path}",
            f"It holds {list_folder(folder)}. {_advise_on_base_path(folder)}",
        )


def _describe_os_error(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "this process may not read it"
    if isinstance(error, NotADirectoryError):
        return "that is a file"
    return "there is no such folder"


def _advise_on_base_path(folder: Path) -> str:
    expected = f"{folder}/1/saved_model.pb and what was saved beside it."
    if not holds_saved_model(folder):
        return f"Expected folders named with a number, each a whole SavedModel: {expected}"
    above = folder.resolve().parent
    if folder.resolve() in find_versions(above, passed_over=lambda _: None).values():
        return f"That is a version itself; the base path is the folder above it: {above}."
    return f"That is a SavedModel itself; move it to where a version is: {expected}"


def _invalid(message: str, advice: str) -> ConfigError:
    return ConfigError(StatusCode.INVALID_ARGUMENT, message, advice)
