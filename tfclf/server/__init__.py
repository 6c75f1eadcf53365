"""A server of SavedModels that answers as TF Serving does.

    serve()                       from a path to a running Server
    __main__, command_line        `python -m tfclf.server`
    make_ssl_config               `python -m tfclf.server.make_ssl_config`: TLS, from PEM files
    start                         puts a server together
    process                       Server: ports, threads, signals, drain
    page/                         the page at `/` of `tfclf serve`
    transport/                    gRPC, REST, health, TLS
    service                       every RPC, message in, message out, whatever the protocol
    lifecycle/                    models.config and folders watched; versions loaded, swapped,
                                  drained
    config_files                  TF Serving's text files: batching, TLS, monitoring
    rpc/                          one RPC each, without transport
    runtime/                      loaded versions: registry, Servable, session, batching
    flags, flag_table             TF Serving's flags and ours
    logs, metrics, tracing        what is recorded of requests
    limits, context, request_id, request_record, status       what holds for every request

A module imports only those below it; import-linter checks that. Importing this package imports
neither TensorFlow nor gRPC.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tfclf.errors import MissingExtraError

if TYPE_CHECKING:
    from tfclf.server.page.options import Page
    from tfclf.server.process import Server

__all__ = ["serve"]

_PACKAGES = {
    "grpcio": "grpc",
    "tensorflow-serving-api": "tensorflow_serving",
    "grpcio-health-checking": "grpc_health",
    "prometheus-client": "prometheus_client",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
}


def serve(
    models: str | Path,
    *,
    model_name: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8500,
    rest_port: int | None = None,
    poll_seconds: float = 1.0,
    batching: bool = True,
    batching_file: Path | None = None,
    ssl_config_file: Path | None = None,
    max_threads: int = 0,
    page: "Page | None" = None,
) -> "Server":
    """Load models, warm them up, and answer requests for them until stopped.

        with serve("saved_models/demo", port=0) as server:
            print(server)  # demo version 1 on 127.0.0.1:40401 (gRPC)

    Args:
      models: a folder of version folders, as TF Serving takes it, whose largest version answers; or
        the folder of one version; or a models.config, for several models.
      model_name: the name that requests use; by default the folder's name. A models.config has
        names of its own.
      host: "0.0.0.0" or "::" opens the server to the network.
      port, rest_port: ports of gRPC and REST; 0 takes a free one. None: no REST.
      poll_seconds: time between checks for new versions and for changes of a models.config; 0:
        none.
      batching: whether concurrent requests for exports of tfclf share runs.
      batching_file: TF Serving's BatchingParameters as text; with it, requests for every model
        share runs.
      ssl_config_file: TF Serving's SSLConfig as text: TLS on both ports.
      max_threads: threads that answer gRPC; 0: 128.
      page: the page at `/` of the REST port, `tfclf.server.page.options.Page()`; None: none.
    Returns: a started Server; leaving its `with`, or calling `stop()`, drains it.
    Raises: SourceNotFoundError, SavedModelError, ServerError, InputError; MissingExtraError.
    """
    for package, module in _PACKAGES.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, extra="server", purpose="serving a model")
    from tfclf.server.config_files import read_batching, read_tls
    from tfclf.server.lifecycle.loading import Loader
    from tfclf.server.lifecycle.watching import Watching
    from tfclf.server.process import ServerOptions
    from tfclf.server.start import find_models, start

    return start(
        find_models(models, model_name),
        loader=Loader(
            batch=batching, batching=None if batching_file is None else read_batching(batching_file)
        ),
        options=ServerOptions(
            host=host,
            port=port,
            rest_port=rest_port,
            grpc_threads=max_threads,
            tls=None if ssl_config_file is None else read_tls(ssl_config_file),
            page=page,
            own_form=True,
            healthz=True,
            openapi=True,
        ),
        watching=Watching(
            poll_seconds=poll_seconds,
            config_file=Path(models) if Path(models).is_file() else None,
            config_poll_seconds=poll_seconds,
        ),
    )
