"""A managed model: which of its versions are wanted, which answer, which failed to load."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grpc import StatusCode
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from tfclf.server.lifecycle.base_path import BasePath, Fingerprint
from tfclf.server.lifecycle.version_policy import Step, next_step
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.states import END, LOADING, START, State, States
from tfclf.server.status import status_code

_LONGEST_REASON = 300


@dataclass(frozen=True)
class Loaded:
    """A version that answers."""

    servable: Servable
    folder: Path


@dataclass(frozen=True)
class Failure:
    """A version that could not be loaded.

    Attributes:
      tries: the tries so far.
      again_at: when to try again, in `time.monotonic` seconds; infinite: given up.
      files: the files that failed; if they change, the version gets another try.
      ended: END, with the error.
    """

    folder: Path
    tries: int
    again_at: float
    files: Fingerprint | None
    ended: State

    @property
    def given_up(self) -> bool:
        """Whether it is not tried again unless its files or the configuration change."""
        return self.again_at == math.inf

    @property
    def visible_state(self) -> State:
        """The state that TF Serving reports: LOADING until it is given up, without the error."""
        return self.ended if self.given_up else State(LOADING)


class ManagedModel:
    """A model and its versions; it belongs to the Manager, whose lock guards it."""

    def __init__(self, config: ModelConfig) -> None:
        self.name: str = config.name
        self.base_path = BasePath(config.name, Path(config.base_path))
        self.looked = False  # the first look does not wait for files to come to rest
        self.wanted: dict[int, Path] = {}
        self.loaded: dict[int, Loaded] = {}
        self.failures: dict[int, Failure] = {}
        self.configure(config)

    def configure(self, config: ModelConfig) -> None:
        """Take another base path or policy; what is loaded stays until the next look."""
        self.removed = False
        self.policy = config.model_version_policy
        if self.base_path.folder != Path(config.base_path):
            self.base_path = BasePath(self.name, Path(config.base_path))
            self.looked = False

    def remove(self, states: States) -> None:
        """Stop wanting any version."""
        self.removed = True
        self.want({}, states)

    def want(self, versions: dict[int, Path], states: States) -> None:
        """Want exactly these versions, and forget all others that are not loaded."""
        for number in self.wanted.keys() - versions.keys() - self.loaded.keys():
            failure = self.failures.get(number)
            states.set(self.name, number, failure.ended if failure else State(END))
        for number in versions.keys() - self.wanted.keys() - self.loaded.keys():
            states.set(self.name, number, State(START))
        self.failures = {
            number: failure
            for number, failure in self.failures.items()
            if versions.get(number) == failure.folder
        }
        self.wanted = versions

    def next_step(self, now: float) -> Step | None:
        """Return what to load or unload next."""
        loadable = {
            number for number, folder in self.wanted.items() if self._may_load(number, folder, now)
        }
        return next_step(wanted=self.wanted.keys(), serving=self.loaded.keys(), loadable=loadable)

    def next_retry(self) -> float:
        """Return when a version is to be tried again; infinite if none is."""
        return min((failure.again_at for failure in self.failures.values()), default=math.inf)

    def fail(
        self, number: int, folder: Path, error: Exception, *, again_at: float, most_tries: int
    ) -> Failure:
        """Note that a version could not be loaded, and count the tries in a row."""
        before = self.failures.get(number)
        files = self.base_path.fingerprint(folder)
        again = before is not None and (before.folder, before.files) == (folder, files)
        tries = before.tries + 1 if before is not None and again else 1
        code, message = _find_reason(error, self.base_path.folder, self.name)
        failure = Failure(
            folder,
            tries,
            math.inf if tries >= most_tries else again_at,
            files,
            State(END, code, message),
        )
        self.failures[number] = failure
        return failure

    def succeed(self, number: int, folder: Path, servable: Servable) -> None:
        """Note that a version answers."""
        self.failures.pop(number, None)
        self.loaded[number] = Loaded(servable, folder)

    @property
    def given_up(self) -> bool:
        """Whether no version answers and every wanted one is given up."""
        failures = [self.failures.get(number) for number in self.wanted]
        return (
            not self.loaded and bool(failures) and all(each and each.given_up for each in failures)
        )

    def _may_load(self, number: int, folder: Path, now: float) -> bool:
        loaded = self.loaded.get(number)
        if loaded is not None and loaded.folder == folder:
            return False
        failure = self.failures.get(number)
        if failure is None or failure.folder != folder or now >= failure.again_at:
            return True
        files = self.base_path.fingerprint(folder)
        return files is not None and files != failure.files


def describe_failures(models: Sequence[ManagedModel]) -> str:
    """Return TF Serving's words for models that did not become available, with their errors.

    >>> from tensorflow_serving.config.model_server_config_pb2 import ModelConfig
    >>> describe_failures([ManagedModel(ModelConfig(name="demo", base_path="/models/demo"))])
    '1 model(s) did not become available: {{{name: demo}}, }'
    """
    listed = []
    for model in models:
        for number, failure in sorted(model.failures.items()):
            error = f"{failure.ended.code.name}: {failure.ended.message}"
            listed.append(f"{{{{name: {model.name} version: {number}}} due to error: {error}}}, ")
        if not model.failures:
            listed.append(f"{{{{name: {model.name}}}}}, ")
    return f"{len(models)} model(s) did not become available: {{{''.join(listed)}}}"


def _find_reason(error: Exception, base_path: Path, name: str) -> tuple[StatusCode, str]:
    """Return the code and message of what failed, TensorFlow say, without this machine's paths."""
    cause = error.__cause__ or error
    number = getattr(cause, "error_code", None)  # an OpError's
    code = getattr(cause, "code", None)  # a RequestError's
    if not isinstance(code, StatusCode):
        code = status_code(number) if isinstance(number, int) else StatusCode.UNKNOWN
    text = str(getattr(cause, "message", None) or cause).strip() or type(cause).__name__
    return code, text.replace(str(base_path), name).splitlines()[0][:_LONGEST_REASON]
