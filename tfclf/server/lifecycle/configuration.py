"""The configuration in force: the models of the last accepted ModelServerConfig.

Source: TF Serving, server_core.cc (ReloadConfig, UpdateModelVersionLabelMap).
"""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from grpc import StatusCode
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.server.lifecycle.managed_model import ManagedModel
from tfclf.server.lifecycle.model_config import ConfigError, check_base_path, check_models
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.states import AVAILABLE

_log = logging.getLogger(__name__)


class Change(NamedTuple):
    """The models that a configuration added and removed."""

    new: list[ManagedModel]
    removed: list[ManagedModel]

    @property
    def settled(self) -> bool:
        """Whether each new model answers or never will, and no removed one answers."""
        decided = all(model.loaded or model.given_up or model.removed for model in self.new)
        return decided and not any(model.removed and model.loaded for model in self.removed)

    @property
    def failed(self) -> list[ManagedModel]:
        """The new models that do not answer."""
        return [model for model in self.new if not model.loaded and not model.removed]


class Configuration:
    """The models of the last accepted ModelServerConfig; one is accepted as a whole or not at all.

    Args:
      labels_for_unavailable: accept labels for versions that are not loaded, unless the label named
        another version.

    Attributes:
      changed: the lock of the other attributes and of the models; it is notified of each change.
      current: the last accepted ModelServerConfig.
      models: the models by name; a removed one stays until nothing of it is loaded.
      unseen: whether the base paths are still to be looked at for `current`.
    """

    def __init__(self, registry: Registry, *, labels_for_unavailable: bool) -> None:
        self._registry = registry
        self._labels_for_unavailable = labels_for_unavailable
        self._applying = threading.Lock()  # held from a configuration's checks until it is in force
        self.changed = threading.Condition()
        self.current = ModelServerConfig()
        self.models: dict[str, ManagedModel] = {}
        self.unseen = False

    def apply(self, config: ModelServerConfig) -> Change:
        """Accept a configuration; its new versions are still to be loaded. Raises: ConfigError."""
        with self._applying:
            check_models(config)
            models = {model.name: model for model in config.model_config_list.config}
            with self.changed:
                known = {name: model for name, model in self.models.items() if not model.removed}
            for name, model in models.items():
                if name not in known or known[name].base_path.folder != Path(model.base_path):
                    check_base_path(model)
            labels = {name: dict(model.version_labels) for name, model in models.items()}
            self._check_labels(labels)
            with self.changed:
                for name, model in models.items():
                    if name in self.models:
                        self.models[name].configure(model)
                    else:
                        self.models[name] = ManagedModel(model)
                removed = [model for name, model in known.items() if name not in models]
                for removed_model in removed:
                    removed_model.remove(self._registry.states)
                self.current = config
                self.unseen = True
                new = [self.models[name] for name in models if name not in known]
            self._registry.set_labels(labels)
            _log.info("configured models=%s", ", ".join(repr(name) for name in models) or "none")
            return Change(new, removed)

    def forget_removed(self) -> None:
        """Forget the removed models of which nothing is loaded any more."""
        for model in [each for each in self.models.values() if each.removed and not each.loaded]:
            del self.models[model.name]

    def _check_labels(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        for name, versions in labels.items():
            states = self._registry.states.of(name)
            for label, version in versions.items():
                state = states.get(version)
                if state is not None and state.stage == AVAILABLE:
                    continue
                moved = self._registry.find_label(name, label) not in (None, version)
                if self._labels_for_unavailable and not moved:
                    continue
                raise ConfigError(
                    StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {name}, "
                    f"which is not currently available for inference",
                    f"Label {label!r} may name a version only once that is loaded: add labels by a "
                    f"reload, or start with --allow_version_labels_for_unavailable_models.",
                )
