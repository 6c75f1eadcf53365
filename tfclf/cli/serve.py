"""`tfclf serve`: a SavedModel, answered for as TF Serving answers, or by TF Serving itself."""

import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfclf._tensorflow import quiet_start
from tfclf.catalog.resolve import find_export
from tfclf.errors import InputError

if TYPE_CHECKING:
    from tfclf.launcher import Settings


class Engine(str, Enum):
    """Who answers: tfclf's own server, or TF Serving as a program or as a container."""

    embedded = "embedded"
    tensorflow_model_server = "tensorflow_model_server"
    docker = "docker"


class LogLevel(str, Enum):
    """What is worth a line."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class LogFormat(str, Enum):
    """How a line is written."""

    text = "text"
    json = "json"


def serve(
    model: Annotated[
        str,
        typer.Argument(
            metavar="folder",
            help="A model's base path, which holds version folders; one version's folder; a models.config; or a card "
            "whose model is bundled.",
        ),
    ],
    flags: Annotated[
        list[str] | None,
        typer.Argument(
            help="After `--`: further flags for TF Serving, as it spells them.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The gRPC port; 0 takes a free one.")
    ] = 8500,
    host: Annotated[
        str | None,
        typer.Option(
            help="The address to listen on; 0.0.0.0 opens the server to the network.",
            show_default="127.0.0.1",
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(help="What requests call the model.", show_default="the folder's name"),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Who answers: tfclf's own server, or TF Serving.")
    ] = Engine.embedded,
    rest_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The REST port; 0 takes a free one.")
    ] = 8501,
    poll_seconds: Annotated[
        float,
        typer.Option(
            min=0, help="How often new versions are looked for; 0: never. Embedded alone."
        ),
    ] = 1.0,
    ssl_config_file: Annotated[
        Path | None,
        typer.Option(
            help="SSLConfig as text: TLS on both ports. Embedded alone.", show_default=False
        ),
    ] = None,
    log_level: Annotated[
        LogLevel,
        typer.Option(help="At debug, each request is a line; never its texts. Embedded alone."),
    ] = LogLevel.warning,
    log_format: Annotated[
        LogFormat, typer.Option(help="Of the log. Embedded alone.")
    ] = LogFormat.text,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Run TF Serving on GPUs; docker: the image for them.")
    ] = False,
    xla: Annotated[
        bool | None,
        typer.Option(
            "--xla/--no-xla", help="Let TF Serving compile serving_xla.", show_default="with --gpu"
        ),
    ] = None,
    batching: Annotated[
        bool | None,
        typer.Option(
            "--batching/--no-batching", help="Batch requests.", show_default="for exports of tfclf"
        ),
    ] = None,
    batching_file: Annotated[
        Path | None,
        typer.Option(help="BatchingParameters as text.", show_default="fit for this machine"),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="Docker's image.", show_default="tensorflow/serving, as the export needs"
        ),
    ] = None,
) -> None:
    """Serves SavedModels over gRPC and REST, as TF Serving does; or starts TF Serving.

    Example: `tfclf serve saved_models/demo --port 8500`

    Example: `tfclf serve saved_models/demo --engine docker -- --num_load_threads=2`

    It answers until SIGTERM or Ctrl-C, then finishes what is under way. A new version that is put into the folder is
    loaded and warmed up, and takes over without a request lost. `python -m tfclf.server` is the same server with TF
    Serving's own flags.
    """
    folder = find_export(model)
    if engine is not Engine.embedded:
        from tfclf.launcher import Settings

        _serve_with_tf_serving(
            engine,
            folder,
            Settings(
                model_name=model_name,
                host=host,
                port=port,
                rest_port=rest_port,
                gpu=gpu,
                xla=xla,
                batching=batching,
                batching_file=batching_file,
                image=image,
                flags=flags or (),
            ),
        )
        return
    if flags:
        raise InputError(
            f"{flags[0]}: the embedded server takes TF Serving's flags as `python -m tfclf.server`."
        )
    for option, value in (("--image", image), ("--gpu", gpu or None), ("--xla", xla)):
        if value is not None:
            raise InputError(
                f"{option} is for TF Serving: give --engine tensorflow_model_server or docker too."
            )
    from tfclf.server import logs
    from tfclf.server import serve as start

    logs.configure(level=log_level.value, format=log_format.value)
    with quiet_start():
        import tensorflow_text  # noqa: F401  (it greets too)

    with (
        start(
            folder,
            model_name=model_name,
            host=host or "127.0.0.1",
            port=port,
            rest_port=rest_port,
            poll_seconds=poll_seconds,
            batching=batching is not False,
            batching_file=batching_file,
            ssl_config_file=ssl_config_file,
        ) as server,
        server.signals() as received,  # before the line that tells others to go ahead
    ):
        typer.echo(f"serving {server}", err=True)
        received.get()


def _serve_with_tf_serving(engine: Engine, folder: Path, settings: "Settings") -> None:
    """Starts TF Serving and ends with its exit code."""
    from tfclf.launcher import launch_of_docker, launch_of_program, run

    with tempfile.TemporaryDirectory(prefix="tfclf-serve-") as files:
        prepare = launch_of_docker if engine is Engine.docker else launch_of_program
        launch = prepare(folder, settings, Path(files))
        for note in launch.notes:
            typer.echo(f"note: {note}", err=True)
        code = run(
            launch, ready=lambda ready: typer.echo(f"serving {ready}, by {engine.value}", err=True)
        )
    raise typer.Exit(code)
