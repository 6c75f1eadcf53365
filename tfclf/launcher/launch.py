"""The command that starts TF Serving on a model: the installed program, or a container."""

import csv
import io
import os
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from tfclf.errors import InputError, SavedModelError, ServerError
from tfclf.launcher.flags import build_flags
from tfclf.launcher.settings import Launch, Settings, bracket_host, format_version
from tfclf.saved_model.frozen_weights import VARIABLE, check_frozen_weights, variables_for
from tfclf.saved_model.integrity import check_files
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.requirements import check_requirements
from tfclf.saved_model.versions import Version, latest_version

PROGRAM = "tensorflow_model_server"
IMAGE = "tensorflow/serving"
_NEWEST = "2.20"
_MODEL_IN_CONTAINER = "/model"
_FILES_IN_CONTAINER = "/tfclf"
_GRPC_IN_CONTAINER, _REST_IN_CONTAINER = 8500, 8501
_ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound)


def find_program() -> str:
    """Find the path of tensorflow_model_server. Raises: ServerError if it is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise ServerError(
            f"{PROGRAM} is not on PATH. Install it (TensorFlow's apt repository has the package "
            f"tensorflow-model-server, for x86-64 and CPU), or start its image with --engine "
            f"docker; without either, `tfclf serve` by itself answers the same on the wire."
        )
    return program


def find_docker() -> str:
    """Find the path of docker's client. Raises: ServerError if it or its daemon is missing."""
    docker = shutil.which("docker")
    if docker is None:
        raise ServerError(
            f"docker is not on PATH. Install Docker Engine (Debian, Ubuntu: `apt install "
            f"docker.io`), or take --engine {PROGRAM}; without either, `tfclf serve` by itself "
            f"answers the same on the wire."
        )
    _check_daemon(docker)
    return docker


def launch_of_program(folder: str | Path, settings: Settings, files: Path) -> Launch:
    """Return the command for tensorflow_model_server.

    Args:
      folder: a model's base path, or the folder of one version.
      files: an empty folder that exists for as long as the server runs.
    Raises: ServerError if the program is not installed or does not fit the export; InputError,
      SourceNotFoundError, SavedModelError.
    """
    program = find_program()
    version = latest_version(folder)
    check_frozen_weights(version.folder)  # the program inherits this process's environment
    manifest = _read_manifest_to_run(version.folder)
    serving = _ask_version(program)
    _check_runs_on(serving, manifest, program)
    if settings.host not in (None, *_ALL_ADDRESSES):
        raise InputError(
            f"host {settings.host}: {PROGRAM} listens on every address of the machine and has no "
            f"option for another. Pass --host 0.0.0.0 if that is intended, or take --engine "
            f"docker, which can be bound to 127.0.0.1."
        )
    notes: tuple[str, ...] = ()
    if not settings.host:
        notes = (f"{PROGRAM} listens on every address of this machine; a firewall must guard it.",)
    variables = _choose_variables(version, folder, settings)
    if variables and not _is_one_version(version, folder):
        notes += (_warn_of_older_exports(folder),)
    port, rest_port = _choose_ports(settings)
    model = settings.model_name or version.model
    command = [
        program,
        f"--port={port}",
        *_rest_flag(rest_port),
        f"--model_name={model}",
        f"--model_base_path={_make_base_path(Path(folder), version, files)}",
        *build_flags(
            version.folder, manifest, settings, files, server_files=str(files), serving=serving
        ),
    ]
    return Launch(
        tuple(command),
        model,
        version.number,
        host="127.0.0.1",
        port=port,
        rest_port=rest_port,
        size=_measure_size(version.folder),
        environment=variables,
        notes=notes,
    )


def launch_of_docker(folder: str | Path, settings: Settings, files: Path) -> Launch:
    """Return the `docker run` of TF Serving's image; arguments and errors of `launch_of_program`.

    The server runs as the calling user, on a read-only root, without capabilities. The command
    bypasses the image's own entry point, a shell that keeps signals from the server. `--init` is
    there because process 1 ignores SIGTERM unless it handles it, and TF Serving does not
    (tensorflow/serving#1853).
    """
    docker = find_docker()
    version = latest_version(folder)
    manifest = _read_manifest_to_run(version.folder)
    image = settings.image or _choose_image(manifest, gpu=settings.gpu)
    serving = _parse_image_version(image)
    _check_runs_on(serving, manifest, image)
    host = settings.host or "127.0.0.1"
    variables = _choose_variables(version, folder, settings)
    port, rest_port = _choose_ports(settings)
    name = f"tfclf-{uuid.uuid4().hex[:12]}"
    model = settings.model_name or version.model
    base = _make_base_path(Path(folder), version, files)
    one_version = base.parent == files
    source = version.folder if one_version else base
    if not one_version and not version.folder.resolve().is_relative_to(base):
        raise InputError(
            f"{base / version.folder.name} is a link to {version.folder.resolve()}, which a "
            f"container does not see. Give that folder itself, or copy it to {base}."
        )
    target = f"{_MODEL_IN_CONTAINER}/{version.number}" if one_version else _MODEL_IN_CONTAINER
    published = [f"{bracket_host(host)}:{port}:{_GRPC_IN_CONTAINER}"]
    if rest_port is not None:
        published.append(f"{bracket_host(host)}:{rest_port}:{_REST_IN_CONTAINER}")
    user = ["--user", f"{os.getuid()}:{os.getgid()}"] if hasattr(os, "getuid") else []
    command = [
        *(docker, "run", "--rm", "--init", "--name", name),
        *(part for ports in published for part in ("--publish", ports)),
        *("--mount", _mount_option(source, target)),
        *("--mount", _mount_option(files, _FILES_IN_CONTAINER)),
        *user,
        *("--read-only", "--tmpfs", "/tmp"),  # noqa: S108
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *(("--gpus", "all") if settings.gpu else ()),
        *(part for name, value in variables.items() for part in ("--env", f"{name}={value}")),
        *("--entrypoint", PROGRAM, image),
        f"--port={_GRPC_IN_CONTAINER}",
        *_rest_flag(None if rest_port is None else _REST_IN_CONTAINER),
        f"--model_name={model}",
        f"--model_base_path={_MODEL_IN_CONTAINER}",
        *build_flags(
            version.folder,
            manifest,
            settings,
            files,
            server_files=_FILES_IN_CONTAINER,
            serving=serving,
        ),
    ]
    return Launch(
        tuple(command),
        model,
        version.number,
        host="127.0.0.1" if host in _ALL_ADDRESSES else host,
        port=port,
        rest_port=rest_port,
        size=_measure_size(version.folder),
        container=name,
        notes=() if one_version or not variables else (_warn_of_older_exports(folder),),
    )


def _read_manifest_to_run(version_folder: Path) -> Manifest | None:
    """Read an export's manifest. Raises: SavedModelError if this machine cannot run the export."""
    manifest = _read_manifest(version_folder)
    if manifest is not None:
        check_requirements(manifest, source=version_folder)
        check_files(manifest, source=version_folder)
    return manifest


def _read_manifest(version_folder: Path) -> Manifest | None:
    """Read the export's manifest; None for a SavedModel that tfclf did not write."""
    if not Manifest.path(version_folder).exists():
        return None
    return Manifest.read(version_folder)


def _choose_variables(
    version: Version, folder: str | Path, settings: Settings
) -> Mapping[str, str]:
    """Choose variables that speed up TF Serving on a CPU, if every version gains by them.

    Flags of the user may name other models, of which nothing is known here.
    """
    others = ("--model_base_path", "--model_config_file")
    if settings.gpu or any(flag.startswith(others) for flag in settings.flags):
        return {}
    models = [version.folder if _is_one_version(version, folder) else Path(folder)]
    return variables_for(models, many_signatures=True)


def _warn_of_older_exports(folder: str | Path) -> str:
    return (
        f"TF Serving runs with {VARIABLE}=1 and checks no later version. While it runs, put only "
        f"exports into {folder} whose manifest says frozen_weights: true; or start with "
        f"{VARIABLE}=0 in the environment."
    )


def _is_one_version(version: Version, folder: str | Path) -> bool:
    return version.folder == Path(folder).resolve()


def _make_base_path(folder: Path, version: Version, files: Path) -> Path:
    """Return `folder` if it is a base path; for a version's folder create one that links to it."""
    if not _is_one_version(version, folder):
        return folder.resolve()
    base = files / "model"
    base.mkdir()
    (base / str(version.number)).symlink_to(version.folder, target_is_directory=True)
    return base


def _choose_ports(settings: Settings) -> tuple[int, int | None]:
    for port in (settings.port, settings.rest_port or 0):
        if not 0 <= port <= 65535:
            raise InputError(f"port {port} does not exist. Expected 0 (any free one) to 65535.")
    if settings.rest_port and settings.port == settings.rest_port:
        raise InputError(
            f"gRPC and REST cannot both have port {settings.port}. "
            f"Give REST another one: --rest-port."
        )
    # Two TF Servings can share a port, and each would get some of the requests: so probe it.
    for port in (settings.port, settings.rest_port or 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ServerError(
                    f"cannot listen on port {port}: {error.strerror}. End the process that has it, "
                    f"or give another port (--port, --rest-port); 0 takes a free one."
                ) from error
    # Hold both at once: they cannot then be the same.
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        port = settings.port or first.getsockname()[1]
        return port, settings.rest_port if settings.rest_port != 0 else second.getsockname()[1]


def _rest_flag(port: int | None) -> list[str]:
    return [] if port is None else [f"--rest_api_port={port}"]


def _mount_option(source: Path, target: str) -> str:
    """The value of --mount: a line of CSV, in which a path may hold a comma.

    >>> _mount_option(Path("/one, two"), "/model")
    'type=bind,"source=/one, two",target=/model,readonly'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        ["type=bind", f"source={source}", f"target={target}", "readonly"]
    )
    return line.getvalue()


def _choose_image(manifest: Manifest | None, *, gpu: bool) -> str:
    """Choose the newest image that knows every op of the export.

    >>> _choose_image(None, gpu=True)
    'tensorflow/serving:2.20.0-gpu'
    """
    newest = _NEWEST
    if manifest and manifest.serving_versions:
        newest = manifest.serving_versions.split(" to ")[-1]  # '2.12 to 2.20', or one version
    return f"{IMAGE}:{newest}.0{'-gpu' if gpu else ''}"


def _parse_image_version(image: str) -> tuple[int, ...] | None:
    """Parse TF Serving's version from an image's tag.

    >>> _parse_image_version("tensorflow/serving:2.20.0-gpu")
    (2, 20)
    >>> _parse_image_version("tensorflow/serving:latest") is None
    True
    """
    match = re.search(r":(\d+)\.(\d+)", image)
    return None if match is None else (int(match[1]), int(match[2]))


def _ask_version(program: str) -> tuple[int, ...] | None:
    """Ask the program for its version; None if it prints something else.

    It prints a line such as `TensorFlow ModelServer: 2.20.0-rc0+dev.sha.abc`.
    """
    try:
        done = subprocess.run(  # noqa: S603 (found on PATH)
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{program} cannot be started: {error}. Install it again.") from error
    match = re.search(r"ModelServer:\s*(\d+)\.(\d+)", done.stdout + done.stderr)
    return None if match is None else (int(match[1]), int(match[2]))


def _check_runs_on(serving: tuple[int, ...] | None, manifest: Manifest | None, what: str) -> None:
    if serving is None or manifest is None or not manifest.serving_versions:
        return
    bounds = [
        tuple(map(int, bound.split("."))) for bound in manifest.serving_versions.split(" to ")
    ]
    # Later versions know the older ops too; earlier ones may lack some.
    if serving < bounds[0]:
        raise ServerError(
            f"{what} is TF Serving {format_version(serving)}, and {manifest.name} runs on "
            f"{manifest.serving_versions}. Install one of those, or start its image: "
            f"--engine docker."
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
            f"{docker} is here, but its daemon does not answer: {reason} Start it (`systemctl "
            f"start docker`), or let your user talk to it (group docker), or point DOCKER_HOST to "
            f"another one."
        )


def _measure_size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise SavedModelError(
            f"{folder} cannot be read: {error}. Copy or export it again."
        ) from error
