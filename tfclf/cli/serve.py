"""`tfclf serve`: serve a SavedModel as TF Serving does, or by TF Serving itself."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfclf._tensorflow import count_cores
from tfclf.catalog.resolve import find_export
from tfclf.cli.page_examples import find_page_examples
from tfclf.cli.startup import start_tensorflow
from tfclf.errors import InputError, TfclfError
from tfclf.saved_model.frozen_weights import assume_if_safe
from tfclf.saved_model.threads import give_each_part_a_core

if TYPE_CHECKING:
    from tfclf.launcher import Settings


class Engine(str, Enum):
    """The server: tfclf's own, or TF Serving as a program or as a container."""

    embedded = "embedded"
    tensorflow_model_server = "tensorflow_model_server"
    docker = "docker"


class LogLevel(str, Enum):
    """The least severe records to write."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class LogFormat(str, Enum):
    """The form of a log line."""

    text = "text"
    json = "json"


def serve(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's base path, which holds version folders; the folder of one version; a "
            "models.config; or a card whose model is bundled.",
        ),
    ],
    flags: Annotated[
        list[str] | None,
        typer.Argument(
            help="After `--`: further flags for TF Serving, in its own spelling.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port for gRPC. 0 takes a free one."),
    ] = 8500,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on. Set 0.0.0.0 to open the server to the network.",
            show_default="127.0.0.1",
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(
            help="Name of the model in requests. Set it if clients expect another name.",
            show_default="the folder's name",
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="Server to run: tfclf's own, or TF Serving as a program or a container. Choose "
            "TF Serving to have exactly that in production."
        ),
    ] = Engine.embedded,
    rest_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port for REST. 0 takes a free one."),
    ] = 8501,
    poll_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds between looks for new versions; 0 never looks. Raise it if the folder is "
            "on a slow or metered file system. Only for the embedded server.",
        ),
    ] = 1.0,
    ssl_config_file: Annotated[
        Path | None,
        typer.Option(
            help="File with an SSLConfig as text, for TLS on both ports. Only for the embedded "
            "server.",
            show_default=False,
        ),
    ] = None,
    ui: Annotated[
        bool,
        typer.Option(
            "--ui/--no-ui",
            help="Serve a page at `/` of the REST port, to try models in a browser. Turn it off if "
            "only programs call the server. Only for the embedded server.",
        ),
    ] = True,
    log_level: Annotated[
        LogLevel,
        typer.Option(
            help="Least severe level to log. Set debug to get a line per request, without its "
            "texts. Only for the embedded server."
        ),
    ] = LogLevel.warning,
    log_format: Annotated[
        LogFormat,
        typer.Option(
            help="Format of the log. Set json if a program reads it: each line is then JSON. Only "
            "for the embedded server."
        ),
    ] = LogFormat.text,
    gpu: Annotated[
        bool,
        typer.Option("--gpu", help="Run TF Serving on GPUs; with docker, in the image for GPUs."),
    ] = False,
    xla: Annotated[
        bool | None,
        typer.Option(
            "--xla/--no-xla",
            help="Let TF Serving compile serving_xla. It is faster on a GPU.",
            show_default="with --gpu",
        ),
    ] = None,
    batching: Annotated[
        bool | None,
        typer.Option(
            "--batching/--no-batching",
            help="Batch requests of different clients. It raises throughput under load.",
            show_default="for exports of tfclf",
        ),
    ] = None,
    batching_file: Annotated[
        Path | None,
        typer.Option(
            help="File with BatchingParameters as text. Give one to tune batching yourself.",
            show_default="fit for this machine",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="Image for docker. Give one if you build your own.",
            show_default="tensorflow/serving, as the export needs",
        ),
    ] = None,
) -> None:
    """Serve SavedModels over gRPC and REST, as TF Serving does; or start TF Serving.

    Example: `tfclf serve saved_models/demo --port 8500`

    Example: `tfclf serve saved_models/demo --engine docker -- --num_load_threads=2`

    It serves until SIGTERM or Ctrl-C, then drains in-flight requests and stops. A new version put
    into the folder is loaded and warmed up, and takes over without losing a request.
    `python -m tfclf.server` is the same server with TF Serving's own flags.
    """
    if engine is not Engine.embedded:
        from tfclf.launcher import Settings

        _serve_with_tf_serving(
            engine,
            find_export(model),
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
    from tfclf.server import logs
    from tfclf.server import serve as start
    from tfclf.server.lifecycle.model_config import list_base_paths
    from tfclf.server.page.options import Page

    logs.configure(level=log_level.value, format=log_format.value)
    in_json = log_format is LogFormat.json

    def say(words: str) -> None:
        """Write a line that every log level shows."""
        if in_json:
            logs.announce(words)
        else:
            typer.echo(words, err=True)

    if in_json:
        logs.cover_process()
    with _errors_in_json() if in_json else nullcontext():
        if flags:
            raise InputError(
                f"{flags[0]}: the embedded server takes TF Serving's flags as "
                f"`python -m tfclf.server`."
            )
        for option, value in (("--image", image), ("--gpu", gpu or None), ("--xla", xla)):
            if value is not None:
                raise InputError(
                    f"{option} is for TF Serving: give --engine tensorflow_model_server or docker "
                    f"too."
                )
        folder = find_export(model)
        base_paths = list_base_paths(folder)
        assume_if_safe(base_paths, many_signatures=True)
        give_each_part_a_core(base_paths, cores=count_cores())
        start_tensorflow("tensorflow_text")
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
                page=Page(find_page_examples) if ui else None,
            ) as server,
            server.signals() as received,  # before the line that tells others to go ahead
        ):
            say(f"serving {server}")
            received.get()
            say(f"stopping {server}; in-flight requests may end")


@contextmanager
def _errors_in_json() -> Iterator[None]:
    """Write our errors into the log, as JSON, and exit as `tfclf` does for them."""
    from tfclf.server import logs

    try:
        yield
    except TfclfError as error:
        logs.announce(f"error: {error}", level=logging.ERROR)
        raise typer.Exit(2) from error


def _serve_with_tf_serving(engine: Engine, folder: Path, settings: "Settings") -> None:
    """Start TF Serving and exit with its exit code."""
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
