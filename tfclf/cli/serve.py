"""`tfclf serve`: a SavedModel, answered for as TF Serving answers."""

from pathlib import Path
from typing import Annotated

import typer

from tfclf.cli.quiet import quiet_start


def serve(
    folder: Annotated[
        Path,
        typer.Argument(help="A model's base path, which holds version folders; or one version's folder."),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gRPC port; 0 takes a free one.")] = 8500,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 opens the server to the network.")
    ] = "127.0.0.1",
    model_name: Annotated[
        str | None, typer.Option(help="What requests call the model.", show_default="the folder's name")
    ] = None,
) -> None:
    """Serves a SavedModel over gRPC, as TF Serving does.

    Example: `tfclf serve saved_models/demo --port 8500`

    It answers PredictionService's Predict and GetModelMetadata until SIGTERM or Ctrl-C, then finishes what is
    under way.
    """
    with quiet_start():
        import tensorflow_text  # noqa: F401  (it greets too)

    from tfclf.server import serve as start

    with (
        start(folder, model_name=model_name, host=host, port=port) as server,
        server.signals() as received,  # before the line that tells others to go ahead
    ):
        typer.echo(f"serving {server}", err=True)
        received.get()
