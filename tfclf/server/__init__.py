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


def serve(
    base_path: str | Path,
    *,
    model_name: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8500,
    max_threads: int | None = None,
) -> "Server":
    """Loads the largest version of a model and answers requests for it until stopped.

        with serve("saved_models/demo", port=0) as server:
            print(server)  # demo version 1 on 127.0.0.1:40401 (gRPC)

    Args:
      base_path: a folder of version folders, as TF Serving takes; or one version's folder.
      model_name: what requests call it; by default the base path's name.
      host, port, max_threads: see `Server`.
    Returns: a started Server; leaving its `with`, or `stop()`, drains it.
    Raises: SourceNotFoundError, SavedModelError, ServerError, InputError; MissingExtraError.
    """
    for package, module in (("grpcio", "grpc"), ("tensorflow-serving-api", "tensorflow_serving")):
        if find_spec(module) is None:
            raise MissingExtraError(package, extra="server", purpose="serving a model")
    from tfclf.versions import latest_version

    found = latest_version(base_path)

    from tfclf.server.process import Server, check_port
    from tfclf.server.registry import Registry
    from tfclf.server.servable import Servable
    from tfclf.server.service import Service
    from tfclf.server.warm_up import warm_up

    check_port(host, port)
    servable = Servable.load(model_name or found.model, found.number, found.folder)
    warm_up(servable, found.folder)
    server = Server(Service(Registry([servable])), host=host, port=port, max_threads=max_threads)
    try:
        server.start()
    except BaseException:
        server.stop(0)
        raise
    return server
