"""Puts a server together: models, what answers for them, and its ports."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import InputError
from tfclf.saved_model.versions import Version, latest_version
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.manager import Manager
from tfclf.server.lifecycle.model_config import read_model_config, single_model
from tfclf.server.metrics import Metrics
from tfclf.server.process import Server, ServerOptions
from tfclf.server.request_record import Observer
from tfclf.server.runtime.registry import Registry
from tfclf.server.service import Service
from tfclf.server.transport.addresses import check_port, check_socket
from tfclf.server.transport.tls import ssl_context

_log = logging.getLogger(__name__)


def find_models(models: str | Path, name: str | None = None) -> ModelServerConfig | Version:
    """What a user means by a path: a models.config, a model's base path, or the folder of one version.

    Raises: SourceNotFoundError, SavedModelError, ServerError, InputError.
    """
    path = Path(models)
    if path.is_file():
        if name is not None:
            raise InputError(
                f"{path} names its models itself; leave the name {name!r} out, or change it there."
            )
        return read_model_config(path)
    found = latest_version(path)
    if found.folder.parent == path.resolve():
        return single_model(name or found.model, path)
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
    _check(options)
    registry = Registry()
    manager = None
    if not isinstance(models, Version):
        manager = Manager(
            registry, load=loader, drain_seconds=options.drain_seconds, **(watching or {})
        )
    service = Service(registry, manager=manager, observers=[metrics.observe, *observers])
    metrics.watch(
        queue_length=lambda: _queues(registry),
        requests_in_flight=lambda: service.in_flight,
        available=lambda: [(servable.name, servable.version) for servable in registry],
    )
    with ExitStack() as undo:
        undo.callback(service.close)
        if isinstance(models, Version):
            registry.add(loader(models.model, models.number, models.folder))
        elif manager is not None:
            manager.start(models)
        server = Server(service, options=options, metrics=metrics)
        server.start()
        undo.pop_all()
    return server


def _check(options: ServerOptions) -> None:
    """Finds out what would keep the server from answering before it spends time on models."""
    if options.port and options.port == options.rest_port:
        raise InputError(
            f"port and rest_port are both {options.port}. Expected two; 0 takes any that is free."
        )
    for name in ("grpc_threads", "rest_threads"):
        if getattr(options, name) < 0:
            raise InputError(f"{name} is {getattr(options, name)}; expected 0 (a default) or more.")
    for port in (options.port, options.rest_port):
        if port is not None:
            check_port(options.host, port)
    if options.socket_path:
        check_socket(options.socket_path)
    if options.tls is not None:
        ssl_context(options.tls)


def _queues(registry: Registry) -> dict[str, int]:
    """Waiting requests by model, of all its versions."""
    waiting: dict[str, int] = {}
    for servable in registry:
        waiting[servable.name] = waiting.get(servable.name, 0) + servable.waiting
    return waiting
