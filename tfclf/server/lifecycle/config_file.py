"""A models.config that is looked at again and again. What is wrong with it is logged once, and changes nothing."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import ServerError
from tfclf.server.lifecycle.model_config import ConfigError, read_model_config

_log = logging.getLogger(__name__)


class ConfigFile:
    """Source: TF Serving, server.cc (PollFilesystemAndReloadConfig).

    Args:
      poll_seconds: between two looks; 0: none at all.
    """

    def __init__(self, path: Path | None, *, poll_seconds: float) -> None:
        self._path = path
        self._poll_seconds = poll_seconds
        self._problem = ""
        self.due = math.inf

    @property
    def source(self) -> str:
        """Where the configuration comes from, as error messages put it."""
        return "the configuration" if self._path is None else str(self._path)

    def start(self) -> None:
        """From now on the next look is `due`, in `time.monotonic` seconds; infinite: never."""
        if self._path is not None and self._poll_seconds > 0:
            self.due = time.monotonic() + self._poll_seconds

    def look(
        self, current: ModelServerConfig, apply: Callable[[ModelServerConfig], object]
    ) -> None:
        """Applies what the file says, if that differs from the current configuration and a look is due."""
        if self._path is None or time.monotonic() < self.due:
            return
        self.start()
        problem = ""
        try:
            config = read_model_config(self._path)
            if config != current:
                apply(config)
        except ConfigError as error:
            problem = str(error.as_server_error(self.source))
        except ServerError as error:
            problem = str(error)
        if problem and problem != self._problem:
            _log.error("the models stay as they are: %s", problem)
        self._problem = problem
