"""A models.config that is polled. A problem with it is logged once and changes nothing."""

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
    """A models.config, or none, and when to look at it next.

    Source: TF Serving, server.cc (PollFilesystemAndReloadConfig).

    Args:
      poll_seconds: time between two looks; 0: none at all.

    Attributes:
      due: when to look next, in `time.monotonic` seconds; infinite: never.
    """

    def __init__(self, path: Path | None, *, poll_seconds: float) -> None:
        self._path = path
        self._poll_seconds = poll_seconds
        self._problem = ""
        self.due = math.inf

    @property
    def source(self) -> str:
        """The source of the configuration, as error messages name it."""
        return "the configuration" if self._path is None else str(self._path)

    def start(self) -> None:
        """Set when the next look is due, counted from now."""
        if self._path is not None and self._poll_seconds > 0:
            self.due = time.monotonic() + self._poll_seconds

    def look(
        self, current: ModelServerConfig, apply: Callable[[ModelServerConfig], object]
    ) -> None:
        """Apply the file if a look is due and it differs from the current configuration."""
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
