"""The assembly of a server: its models, its service and its ports."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import InputError
from tfclf.saved_model.versions import Version, latest_version
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.manager import Manager
from tfclf.server.lifecycle.model_config import read_model_config, single_model
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.metrics import Metrics
from tfclf.server.process import Server, ServerOptions
from tfclf.server.request_record import Observer
from tfclf.server.runtime.registry import Registry
from tfclf.server.service import Service
from tfclf.server.tracing import find_tracing
from tfclf.server.transport.addresses import check_port, check_socket
from tfclf.server.transport.tls import ssl_context

_log = logging.getLogger(__name__)


def find_models(models: str | Path, name: str | None = None) -> ModelServerConfig | Version:
    """Find out what a path means: a models.config, a model's base path, or one version's folder.

    Raises: SourceNotFoundError, SavedModelError, ServerError, InputError.
    """
    path = Path(models)
    if path.is_file():
        if name is not None:
            raise InputError(
                f"{path} names its models itself; leave the name {name!r} out, or change it there."
            )
        return read_model_config(path)
    version = latest_version(path)
    if version.folder.parent == path.resolve():
        return single_model(name or version.model, path)
    return version._replace(model=name or version.model)


def start(
    models: ModelServerConfig | Version,
    *,
    loader: Loader | None = None,
    options: ServerOptions | None = None,
    watching: Watching | None = None,
    observers: Sequence[Observer] = (),
) -> Server:
    """Load the models, warm them up, and answer.

    Args:
      models: a configuration; or one version's folder, which is not watched.
      loader: how versions are loaded; it gets the server's metrics and the limits of `options`.
      watching: how folders and the configuration are watched.
      observers: observers of requests beside the log and the metrics.
    Returns: a started Server.
    Raises: ServerError, SavedModelError, InputError; then nothing is left running.
    """
    options = options or ServerOptions()
    metrics = Metrics()
    loader = replace(loader or Loader(), metrics=metrics, limits=options.limits)
    _check(options)
    registry = Registry()
    manager = None
    if not isinstance(models, Version):
        manager = Manager(
            registry, load=loader, watching=watching, drain_seconds=options.drain_seconds
        )
    service = Service(
        registry, manager=manager, observers=[metrics.observe, *find_tracing(), *observers]
    )
    metrics.watch(
        queue_length=lambda: _count_waiting(registry),
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
    """Check what would keep the server from answering, before time is spent on models."""
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


def _count_waiting(registry: Registry) -> dict[str, int]:
    """Count the waiting requests by model, of all its versions together."""
    waiting: dict[str, int] = {}
    for servable in registry:
        waiting[servable.name] = waiting.get(servable.name, 0) + servable.waiting
    return waiting
