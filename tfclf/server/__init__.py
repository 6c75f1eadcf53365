"""A server of SavedModels that answers as TF Serving does.

    serve()       finds a model, loads it, starts a Server
    process       Server: port, threads, signals, drain
    grpc_service  PredictionService over gRPC
    service       every RPC, message in, message out, whatever the protocol
    warm_up       replays a version's recorded requests before it serves
    predict, metadata     one RPC each, without transport
    registry      names -> versions -> Servables; labels
    servable      one loaded version; session runs it
    tensors       TensorProto <-> numpy
    call          a request's deadline, its client's presence
    status        how a request fails

A module imports only from those below it. Importing this package imports neither TensorFlow nor gRPC.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tfclf.errors import MissingExtraError

if TYPE_CHECKING:
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
    max_threads: int = 0,
) -> "Server":
    """Loads models, warms them up, and answers requests for them until stopped.

        with serve("saved_models/demo", port=0) as server:
            print(server)  # demo version 1 on 127.0.0.1:40401 (gRPC)

    Args:
      models: a folder of version folders, as TF Serving takes, whose largest version answers; or one version's
        folder; or a models.config, for several models.
      model_name: what requests call it; by default the folder's name. A models.config has names of its own.
      host: "0.0.0.0" or "::" opens the server to the network.
      port, rest_port: of gRPC and REST; 0 takes a free one. None: no REST.
      poll_seconds: how often new versions are looked for; 0: never.
      batching: whether requests for exports of tfclf share runs.
      max_threads: that answer gRPC; 0: 128.
    Returns: a started Server; leaving its `with`, or `stop()`, drains it.
    Raises: SourceNotFoundError, SavedModelError, ServerError, InputError; MissingExtraError.
    """
    for package, module in _PACKAGES.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, extra="server", purpose="serving a model")
    from tfclf.server.process import ServerOptions
    from tfclf.server.start import find_models, start

    return start(
        find_models(models, model_name),
        loader_options={"batch": batching},
        options=ServerOptions(host=host, port=port, rest_port=rest_port, grpc_threads=max_threads),
        watching={"poll_seconds": poll_seconds, "config_poll_seconds": poll_seconds},
    )
