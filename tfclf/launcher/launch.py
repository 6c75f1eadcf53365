"""Which command starts TF Serving on a model: the program that is installed, or a container of its image."""

import csv
import io
import os
import re
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

from tfclf.errors import InputError, SavedModelError, ServerError
from tfclf.launcher.flags import flags
from tfclf.launcher.settings import Launch, Settings, bracketed
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.versions import Version, latest_version

PROGRAM = "tensorflow_model_server"
IMAGE = "tensorflow/serving"
_NEWEST = "2.20"
_MODEL_IN_CONTAINER = "/model"
_FILES_IN_CONTAINER = "/tfclf"
_GRPC_IN_CONTAINER, _REST_IN_CONTAINER = 8500, 8501
_EVERY = ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound)


def find_program() -> str:
    """The path of tensorflow_model_server. Raises: ServerError where it is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise ServerError(
            f"{PROGRAM} is not on PATH. Install it (TensorFlow's apt repository has the package "
            f"tensorflow-model-server, for x86-64 and CPU), or start its image with --engine docker; without either, "
            f"`tfclf serve` by itself answers the same on the wire."
        )
    return program


def find_docker() -> str:
    """The path of docker's client. Raises: ServerError where it, or the daemon behind it, is missing."""
    docker = shutil.which("docker")
    if docker is None:
        raise ServerError(
            f"docker is not on PATH. Install Docker Engine (Debian, Ubuntu: `apt install docker.io`), or take "
            f"--engine {PROGRAM}; without either, `tfclf serve` by itself answers the same on the wire."
        )
    _check_daemon(docker)
    return docker


def launch_of_program(folder: str | Path, settings: Settings, files: Path) -> Launch:
    """The command for tensorflow_model_server.

    Args:
      folder: a model's base path, or the folder of one version.
      files: an empty folder that stays for as long as the server runs.
    Raises: ServerError where it is not installed or does not fit the export; InputError, SourceNotFoundError,
      SavedModelError.
    """
    program = find_program()
    found = latest_version(folder)
    manifest = _manifest(found.folder)
    number = _version_of(program)
    _check_runs_on(number, manifest, program)
    if settings.host not in (None, *_EVERY):
        raise InputError(
            f"host {settings.host}: {PROGRAM} listens on every address of the machine and has no option for "
            f"another. Say --host 0.0.0.0 if that is meant, or take --engine docker, which can be bound to 127.0.0.1."
        )
    notes = (
        ()
        if settings.host
        else (f"{PROGRAM} listens on every address of this machine; a firewall must guard it.",)
    )
    port, rest_port = _ports(settings)
    command = [
        program,
        f"--port={port}",
        *_rest_flag(rest_port),
        f"--model_name={settings.model_name or found.model}",
        f"--model_base_path={_base_path(Path(folder), found, files)}",
        *flags(found.folder, manifest, settings, files, shown=str(files), serving=number),
    ]
    model = settings.model_name or found.model
    return Launch(
        tuple(command),
        model,
        found.number,
        "127.0.0.1",
        port,
        rest_port,
        _size(found.folder),
        None,
        notes,
    )


def launch_of_docker(folder: str | Path, settings: Settings, files: Path) -> Launch:
    """The `docker run` of TF Serving's image; arguments and errors as for `launch_of_program`.

    The server runs as the calling user, on a read-only root, without capabilities. The image's own entry point is
    passed by: it is a shell that keeps signals from the server. `--init` is there because a process with number 1
    ignores SIGTERM unless it handles it, and TF Serving does not (tensorflow/serving#1853).
    """
    docker = find_docker()
    found = latest_version(folder)
    manifest = _manifest(found.folder)
    image = settings.image or _image(manifest, gpu=settings.gpu)
    _check_runs_on(_version_in(image), manifest, image)
    host = settings.host or "127.0.0.1"
    port, rest_port = _ports(settings)
    name = f"tfclf-{uuid.uuid4().hex[:12]}"
    model = settings.model_name or found.model
    base = _base_path(Path(folder), found, files)
    one_version = base.parent == files
    source = found.folder if one_version else base
    if not one_version and not found.folder.resolve().is_relative_to(base):
        raise InputError(
            f"{base / found.folder.name} is a link to {found.folder.resolve()}, which a container does not see. "
            f"Give that folder itself, or copy it to {base}."
        )
    target = f"{_MODEL_IN_CONTAINER}/{found.number}" if one_version else _MODEL_IN_CONTAINER
    user = ["--user", f"{os.getuid()}:{os.getgid()}"] if hasattr(os, "getuid") else []
    command = [
        *(docker, "run", "--rm", "--init", "--name", name),
        *("--publish", f"{bracketed(host)}:{port}:{_GRPC_IN_CONTAINER}"),
        *(
            ("--publish", f"{bracketed(host)}:{rest_port}:{_REST_IN_CONTAINER}")
            if rest_port is not None
            else ()
        ),
        *("--mount", _mount(source, target)),
        *("--mount", _mount(files, _FILES_IN_CONTAINER)),
        *user,
        *(
            "--read-only",
            "--tmpfs",
            "/tmp",  # noqa: S108
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ),
        *(("--gpus", "all") if settings.gpu else ()),
        *("--entrypoint", PROGRAM, image),
        f"--port={_GRPC_IN_CONTAINER}",
        *_rest_flag(None if rest_port is None else _REST_IN_CONTAINER),
        f"--model_name={model}",
        f"--model_base_path={_MODEL_IN_CONTAINER}",
        *flags(
            found.folder,
            manifest,
            settings,
            files,
            shown=_FILES_IN_CONTAINER,
            serving=_version_in(image),
        ),
    ]
    client_host = "127.0.0.1" if host in _EVERY else host
    return Launch(
        tuple(command), model, found.number, client_host, port, rest_port, _size(found.folder), name
    )


def _manifest(version_folder: Path) -> Manifest | None:
    """What the export says of itself; None for a SavedModel of others."""
    return (
        Manifest.read(version_folder)
        if (version_folder / "assets.extra" / "tfclf.json").exists()
        else None
    )


def _base_path(folder: Path, found: Version, files: Path) -> Path:
    """A base path with that version: the folder itself, or for one version's folder a new one with a link to it."""
    if found.folder != folder.resolve():
        return folder.resolve()
    base = files / "model"
    base.mkdir()
    (base / str(found.number)).symlink_to(found.folder, target_is_directory=True)
    return base


def _ports(settings: Settings) -> tuple[int, int | None]:
    for port in (settings.port, settings.rest_port or 0):
        if not 0 <= port <= 65535:
            raise InputError(f"port {port} does not exist. Expected 0 (any free one) to 65535.")
    if settings.rest_port and settings.port == settings.rest_port:
        raise InputError(
            f"gRPC and REST cannot both have port {settings.port}. Give REST another one: --rest-port."
        )
    # TF Serving would share a port with another server of its kind, and each get some of the requests.
    for port in (settings.port, settings.rest_port or 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ServerError(
                    f"cannot listen on port {port}: {error.strerror}. End the process that has it, or give another "
                    f"one (--port, --rest-port); port 0 takes any that is free."
                ) from error
    # Both are held at once, so that they cannot be the same.
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        port = settings.port or first.getsockname()[1]
        return port, settings.rest_port if settings.rest_port != 0 else second.getsockname()[1]


def _rest_flag(port: int | None) -> list[str]:
    return [] if port is None else [f"--rest_api_port={port}"]


def _mount(source: Path, target: str) -> str:
    """The value of --mount: a line of CSV, so that a path may hold a comma."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        ["type=bind", f"source={source}", f"target={target}", "readonly"]
    )
    return line.getvalue()


def _image(manifest: Manifest | None, *, gpu: bool) -> str:
    """The newest image that knows every op of the export: `serving_versions` is '2.12 to 2.20', or one version."""
    newest = (
        manifest.serving_versions.split(" to ")[-1]
        if manifest and manifest.serving_versions
        else _NEWEST
    )
    return f"{IMAGE}:{newest}.0{'-gpu' if gpu else ''}"


def _version_in(image: str) -> tuple[int, ...] | None:
    found = re.search(r":(\d+)\.(\d+)", image)
    return None if found is None else (int(found[1]), int(found[2]))


def _version_of(program: str) -> tuple[int, ...] | None:
    """Of `TensorFlow ModelServer: 2.20.0-rc0+dev.sha.abc`; None where it does not say."""
    try:
        done = subprocess.run(  # noqa: S603 (found on PATH)
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{program} cannot be started: {error}. Install it again.") from error
    found = re.search(r"ModelServer:\s*(\d+)\.(\d+)", done.stdout + done.stderr)
    return None if found is None else (int(found[1]), int(found[2]))


def _check_runs_on(number: tuple[int, ...] | None, manifest: Manifest | None, what: str) -> None:
    if number is None or manifest is None or not manifest.serving_versions:
        return
    bounds = [
        tuple(map(int, bound.split("."))) for bound in manifest.serving_versions.split(" to ")
    ]
    # Later ones know the older ops too; earlier ones may lack some.
    if number < bounds[0]:
        raise ServerError(
            f"{what} is TF Serving {_dotted(number)}, and {manifest.name} runs on {manifest.serving_versions}. "
            f"Install one of those, or start its image: --engine docker."
        )


def _check_daemon(docker: str) -> None:
    command = [docker, "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(
            f"{docker} cannot be started: {error}. Install Docker Engine again."
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise ServerError(
            f"{docker} is here, but its daemon does not answer: {reason} Start it (`systemctl start docker`), or let "
            f"your user talk to it (group docker), or point DOCKER_HOST to another one."
        )


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise SavedModelError(
            f"{folder} cannot be read: {error}. Copy or export it again."
        ) from error


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))
