"""Puts a server together: models, what answers for them, and its ports."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import InputError
from tfclf.server.ended import Observer
from tfclf.server.metrics import Metrics
from tfclf.server.models.loading import Loader
from tfclf.server.models.manager import Manager
from tfclf.server.models.model_config import read_model_config, single_model
from tfclf.server.process import Server, ServerOptions
from tfclf.server.runtime.registry import Registry
from tfclf.server.service import Service
from tfclf.server.transport.addresses import check_port
from tfclf.versions import Version, latest_version

_log = logging.getLogger(__name__)


def find_models(models: str | Path, name: str | None = None) -> ModelServerConfig | Version:
    """What a user means by a path: a models.config, a model's base path, or the folder of one version.

    Raises: SourceNotFoundError, SavedModelError, ServerError, InputError.
    """
    path = Path(models)
    if path.is_file():
        if name is not None:
            raise InputError(f"{path} names its models itself; leave the name {name!r} out, or change it there.")
        return read_model_config(path)
    found = latest_version(path)
    if found.folder.parent == path.resolve():
        return single_model(name or found.model, path.resolve())
    return found._replace(model=name or found.model)


def start(
    models: ModelServerConfig | Version,
    *,
    loader_options: Mapping[str, Any] | None = None,
    options: ServerOptions | None = None,
    watching: Mapping[str, Any] | None = None,
    observers: Sequence[Observer] = (),
) -> Server:
    """Loads the models, warms them up, and answers.

    Args:
      models: a configuration; or one folder, whatever its name, that stays as it is.
      loader_options: as for `Loader`, but its metrics and limits.
      watching: as for `Manager`: how folders and configuration are watched.
      observers: as for `Service`, besides log and metrics.
    Returns: a started Server.
    Raises: ServerError, SavedModelError, InputError; nothing is left running then.
    """
    options = options or ServerOptions()
    metrics = Metrics()
    loader = Loader(metrics=metrics, limits=options.limits, **(loader_options or {}))
    for port in (options.port, options.rest_port):
        if port is not None:
            check_port(options.host, port)
    registry = Registry()
    manager = None
    if isinstance(models, Version):
        registry.add(loader(models.model, models.number, models.folder))
    else:
        manager = Manager(registry, load=loader, drain_seconds=options.drain_seconds, **(watching or {}))
        manager.start(models)
    service = Service(registry, manager=manager, observers=[metrics.observe, *observers])
    metrics.watch(
        queue_length=lambda: _queues(registry),
        requests_in_flight=lambda: service.in_flight,
        available=lambda: [(servable.name, servable.version) for servable in registry],
    )
    server = Server(service, options=options, metrics=metrics)
    server.start()
    return server


def _queues(registry: Registry) -> dict[str, int]:
    """Waiting requests by model, of all its versions."""
    waiting: dict[str, int] = {}
    for servable in registry:
        waiting[servable.name] = waiting.get(servable.name, 0) + servable.waiting
    return waiting
