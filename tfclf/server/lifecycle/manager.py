"""The manager: it loads, swaps and unloads versions to match the configuration and the file system.

One thread makes all changes, so no two interfere. It looks at the base paths and at
models.config, loads a new version while the old one answers, swaps them in the registry, and closes
the old one after its last in-flight request. Only a reload makes a request wait for it.

Sources: TF Serving, server_core.cc, aspired_versions_manager.cc, loader_harness.cc, server.cc.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from grpc import StatusCode
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import ServerError
from tfclf.server.context import RequestContext
from tfclf.server.lifecycle.config_file import ConfigFile
from tfclf.server.lifecycle.configuration import Change, Configuration
from tfclf.server.lifecycle.drain import Drain
from tfclf.server.lifecycle.managed_model import Failure, ManagedModel, describe_failures
from tfclf.server.lifecycle.model_config import ConfigError
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.states import LOADING, State
from tfclf.server.status import RequestError

_log = logging.getLogger(__name__)

Load = Callable[[str, int, Path], Servable]

_GLANCE = 0.1  # seconds between two checks of whether a waiting client has hung up
_AFTER_A_BUG = 1.0  # seconds to pause after an error, which would fill the log otherwise


class Manager:
    """The keeper of a Registry: it holds what a ModelServerConfig and the file system ask for.

        with Manager(registry, load=Loader()) as manager:
            manager.start(read_model_config(path))

    Args:
      load: makes the Servable of a model's name, version and folder.
      watching: how the file system and the configuration are watched.
      drain_seconds: time that in-flight requests get when their version is unloaded; then they are
        cancelled.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        load: Load,
        watching: Watching | None = None,
        drain_seconds: float = 60.0,
    ) -> None:
        watching = watching or Watching()
        self._registry = registry
        self._load = load
        self._poll_seconds = watching.poll_seconds
        self._config_file = ConfigFile(
            watching.config_file, poll_seconds=watching.config_poll_seconds
        )
        self._most_tries = 1 + max(watching.max_load_retries, 0)
        self._retry_seconds = max(watching.retry_seconds, 0.0)
        self._drain = Drain(registry, seconds=drain_seconds, wake=self._wake)
        self._reloading = threading.Lock()  # one reload waits for its models at a time
        self._configuration = Configuration(
            registry, labels_for_unavailable=watching.labels_for_unavailable
        )
        self._changed = self._configuration.changed  # guards what follows too
        self.reload_roots = tuple(path.resolve() for path in watching.reload_roots)
        self._woken = self._stopping = False
        self._next_look = math.inf
        self._thread = threading.Thread(target=self._run, name="tfclf-manager", daemon=True)

    def list_configured(self) -> list[str]:
        """List the names of the models that the configuration asks for, loaded or not."""
        return [model.name for model in self._configuration.current.model_config_list.config]

    def start(self, config: ModelServerConfig) -> None:
        """Load the models, then watch over them in a thread.

        Raises: ServerError, or the SavedModelError of the one version that failed; then nothing
          stays loaded.
        """
        errors: list[Exception] = []
        try:
            self._apply(config)
            self.reload_roots += tuple(
                Path(model.base_path).parent for model in config.model_config_list.config
            )
            self._look()
            self._take_steps(errors)
            missing = [model for model in self._configuration.models.values() if not model.loaded]
            if len(missing) == len(errors) == 1 and missing[0].failures:
                raise errors[0]
            if missing:
                raise ServerError(
                    f"{describe_failures(missing)}. Expected at least one version of each model "
                    f"that can be loaded. Correct those models or take them out of the "
                    f"configuration."
                )
        except ConfigError as error:
            raise error.as_server_error(self._config_file.source) from error
        except BaseException:
            self.close()
            raise
        if not self._configuration.models:
            _log.warning("no models: the configuration's list is empty; a reload may bring some")
        self._thread.start()

    def reload(self, config: ModelServerConfig, *, call: RequestContext | None = None) -> None:
        """Apply another configuration and wait until its new models answer.

        Args:
          call: its deadline ends the wait; the configuration holds all the same, as in TF Serving.
        Raises: RequestError if the configuration is refused, and then nothing changes; or, UNKNOWN,
          if a new model cannot be loaded, which stays in the configuration.
        """
        call = call or RequestContext()
        while not self._reloading.acquire(timeout=_GLANCE):
            call.time_left()
        try:
            change = self._apply(config)
            with self._changed:
                while not self._stopping and not change.settled:
                    left = call.time_left()
                    self._changed.wait(_GLANCE if left is None else min(left, _GLANCE))
                failed = change.failed
            if failed:
                raise RequestError(StatusCode.UNKNOWN, describe_failures(failed))
        finally:
            self._reloading.release()

    def stop(self, timeout: float | None = 10.0) -> None:
        """Make no more changes; loaded versions still answer while the server drains.

        Args:
          timeout: seconds to wait for a load, which cannot be interrupted; None: until it ends.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def close(self) -> None:
        """Stop, and close every version at once, even under in-flight requests."""
        self.stop()
        for servable in self._registry:
            self._drain.withdraw(servable)
        self._drain.close_done(at_once=True)

    def __enter__(self) -> "Manager":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _apply(self, config: ModelServerConfig) -> Change:
        change = self._configuration.apply(config)
        self._wake()
        return change

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _run(self) -> None:
        self._plan_look()
        self._config_file.start()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._woken or self._stopping, self._seconds_to_wait()
                )
                if self._stopping:
                    return
                self._woken = False
            try:
                self._config_file.look(self._configuration.current, self._apply)
                if self._configuration.unseen or time.monotonic() >= self._next_look:
                    self._look()
                self._take_steps([])
            except Exception:
                # A bug of ours, or a new kind of file system failure; what is loaded still serves.
                _log.exception(
                    "looking after the models failed; it goes on in %g second", _AFTER_A_BUG
                )
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, _AFTER_A_BUG)

    def _seconds_to_wait(self) -> float | None:
        retries = (model.next_retry() for model in self._configuration.models.values())
        due = min(self._next_look, self._config_file.due, self._drain.due(), *retries)
        return None if due == math.inf else max(due - time.monotonic(), 0.0)

    def _plan_look(self) -> None:
        polled = self._poll_seconds > 0
        self._next_look = time.monotonic() + self._poll_seconds if polled else math.inf

    def _look(self) -> None:
        """Look at the base paths for the versions that are wanted."""
        with self._changed:
            self._configuration.unseen = False
            models = [model for model in self._configuration.models.values() if not model.removed]
        for model in models:
            with self._changed:
                base_path, policy = model.base_path, model.policy
                loaded = {number: each.folder for number, each in model.loaded.items()}
                at_rest = model.looked and self._poll_seconds > 0
            # Outside the lock: a look at a network's folder may take long.
            wanted = base_path.look(policy, loaded=loaded, at_rest=at_rest)
            with self._changed:
                if wanted is not None and model.base_path is base_path and not model.removed:
                    model.want(wanted, self._registry.states)
                    model.looked = True
        self._plan_look()

    def _take_steps(self, errors: list[Exception]) -> None:
        """Load and unload until all is as wanted, or until a reload wants something else.

        Args:
          errors: receives the errors of versions that could not be loaded.
        """
        while True:
            self._drain.close_done()
            with self._changed:
                if self._stopping or self._configuration.unseen:
                    return
                now = time.monotonic()
                steps = [
                    (model, step)
                    for model in self._configuration.models.values()
                    if (step := model.next_step(now))
                ]
                if not steps:
                    self._configuration.forget_removed()
                    self._changed.notify_all()
                    return
                # Unload first: that is quick and frees memory.
                model, step = min(steps, key=lambda each: each[1].do != "unload")
                if step.do == "unload":
                    self._drain.withdraw(model.loaded.pop(step.version).servable)
                    self._changed.notify_all()
                    continue
                folder = model.wanted[step.version]
            if error := self._try_to_load(model, step.version, folder):
                errors.append(error)

    def _try_to_load(self, model: ManagedModel, number: int, folder: Path) -> Exception | None:
        states = self._registry.states
        if number not in model.loaded:  # else it answers until it is replaced
            states.set(model.name, number, State(LOADING))
        try:
            servable = self._load(model.name, number, folder)
        except Exception as error:
            with self._changed:
                if model.wanted.get(number) != folder:
                    return None
                again_at = time.monotonic() + self._retry_seconds
                failure = model.fail(
                    number, folder, error, again_at=again_at, most_tries=self._most_tries
                )
                if number not in model.loaded:
                    states.set(model.name, number, failure.visible_state)
                self._changed.notify_all()
            self._log_failure(model.name, number, failure, error)
            return error
        with self._changed:
            if self._stopping or model.wanted.get(number) != folder:  # no longer wanted
                servable.close()
                return None
            self._drain.swap(servable)
            model.succeed(number, folder, servable)
            self._changed.notify_all()
        _log.info("serving model=%r version=%d", model.name, number)
        return None

    def _log_failure(self, name: str, number: int, failure: Failure, error: Exception) -> None:
        plan = f"next try in {self._retry_seconds:g} seconds"
        _log.error(
            "model=%r version=%d not loaded, try %s, %s: %s",
            name,
            number,
            f"{failure.tries} of {self._most_tries}",
            "given up" if failure.given_up else plan,
            error,
        )
