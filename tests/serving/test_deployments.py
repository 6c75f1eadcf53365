"""serving/: the consumer of each file can read it, and the files agree with each other."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from samples.checkpoints import DEMO, ROOT, edit_json
from tests.serving.lint_deployments import (
    CHECKS,
    OVERLAYS,
    SERVING,
    expressions,
    read_dashboard,
    render,
)
from tests.serving.serving_configs import create_message
from tfclf.launcher.flags import batching_parameters
from tfclf.saved_model.frozen_weights import ONEDNN, VARIABLE
from tfclf.saved_model.manifest import Manifest
from tfclf.server import flags

yaml = pytest.importorskip("yaml")

# TF Serving 2.20, model_servers/main.cc; `host` is the embedded server's.
FLAGS = {
    *("port", "rest_api_port", "grpc_socket_path"),
    *("rest_api_num_threads", "rest_api_timeout_in_ms"),
    *("model_name", "model_base_path", "model_config_file", "model_config_file_poll_wait_seconds"),
    *("enable_batching", "batching_parameters_file", "enable_per_model_batching_parameters"),
    *("monitoring_config_file", "ssl_config_file"),
    *("enable_grpc_healthcheck_service", "grpc_channel_arguments"),
    *("tensorflow_session_parallelism",),
    *("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"),
    *("num_load_threads", "max_num_load_retries", "load_retry_interval_micros"),
    *("file_system_poll_wait_seconds",),
    *("xla_cpu_compilation_enabled", "xla_gpu_compilation_enabled"),
    *("per_process_gpu_memory_fraction",),
}
BATCHING = ("batching.config", "batching_gpu.config")


def read_text(*parts: str) -> str:
    return SERVING.joinpath(*parts).read_text(encoding="utf-8")


def parse_config(kind: str, *parts: str) -> Any:
    """Parse a file of serving/ as a protobuf message."""
    return text_format.Parse(read_text(*parts), create_message(kind))


def parse_flags(arguments: list[str]) -> dict[str, str]:
    return dict(argument[2:].split("=", 1) for argument in arguments)


# TF Serving's own files


def test_models_config_names_models_that_are_there() -> None:
    config = text_format.Parse(read_text("config", "models.config"), ModelServerConfig())
    for model in config.model_config_list.config:
        assert model.model_platform == "tensorflow"
        assert (DEMO.parent / model.base_path.removeprefix("/models/")).is_dir()
        assert all((DEMO / str(version)).is_dir() for version in model.version_labels.values())


@pytest.mark.parametrize("name", BATCHING)
def test_batching_is_what_tf_serving_accepts(name: str) -> None:
    parameters = parse_config("BatchingParameters", "config", name)
    assert parameters.enable_large_batch_splitting.value
    assert 0 < parameters.max_execution_batch_size.value <= parameters.max_batch_size.value
    # The largest request must fit into the queue.
    capacity = parameters.max_enqueued_batches.value * parameters.max_execution_batch_size.value
    assert parameters.max_batch_size.value <= capacity
    assert parameters.num_batch_threads.value >= 1
    assert not parameters.pad_variable_length_inputs


def test_what_tfclf_serve_writes_is_the_file_for_this_many_threads() -> None:
    ours = text_format.Parse(batching_parameters(threads=4), create_message("BatchingParameters"))
    assert ours == parse_config("BatchingParameters", "config", "batching.config")


def test_metrics_are_on() -> None:
    config = parse_config("MonitoringConfig", "config", "monitoring.config")
    assert config.prometheus_config.enable
    for name in ("prometheus.yml", "kubernetes.yml"):
        (job,) = yaml.safe_load(read_text("prometheus", name))["scrape_configs"]
        assert job["metrics_path"] == config.prometheus_config.path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_an_ssl_config_holds_the_files_letter_for_letter(tmp_path: Path) -> None:
    key, certificate = tmp_path / "server.key", tmp_path / "server.crt"
    request = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
        *("-subj", "/CN=localhost", "-days", "1"),
    ]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *files], check=True, capture_output=True)
    script = [sys.executable, "-m", "tfclf.server.make_ssl_config"]
    arguments = [str(key), str(certificate), "--client-ca", str(certificate)]
    done = subprocess.run([*script, *arguments], capture_output=True, text=True, check=True)
    config = text_format.Parse(done.stdout, create_message("SSLConfig"))
    assert (config.server_key, config.server_cert) == (key.read_text(), certificate.read_text())
    assert (config.custom_ca, config.client_verify) == (certificate.read_text(), True)
    swapped = subprocess.run(
        [*script, str(certificate), str(key)], capture_output=True, text=True, check=False
    )
    assert "server.crt: expected PEM with a private key" in swapped.stderr


# Compose

COMPOSE = yaml.safe_load(read_text("compose.yaml"))
SERVERS = ("cpu", "gpu", "embedded")


@pytest.mark.parametrize("name", SERVERS)
def test_compose_uses_flags_that_exist_and_files_that_are_there(name: str) -> None:
    service = COMPOSE["services"][name]
    flags = parse_flags(service["command"])
    assert set(flags) <= FLAGS | ({"host"} if name == "embedded" else set())
    files = [value for value in flags.values() if value.startswith("/config/")]
    assert files
    assert all((SERVING / "config" / Path(file).name).is_file() for file in files)
    published = {port.rsplit(":", 1)[1] for port in service["ports"]}
    assert {flags["port"], flags["rest_api_port"]} == published


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_compose_publishes_on_this_machine_only(name: str) -> None:
    assert all("127.0.0.1" in port for port in COMPOSE["services"][name]["ports"])


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_compose_mounts_what_is_there(name: str) -> None:
    for volume in COMPOSE["services"][name]["volumes"]:
        given = volume["source"] if isinstance(volume, dict) else volume
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", given).split(":")[0]
        assert source in COMPOSE["volumes"] or (SERVING / source).exists()


def test_compose_lets_tf_serving_keep_weights_only_if_the_operator_says_so() -> None:
    expected = {VARIABLE: f"${{{VARIABLE}:-0}}", ONEDNN: None}
    assert COMPOSE["services"]["cpu"]["environment"] == expected


def test_the_embedded_server_decides_unless_the_operator_does() -> None:
    assert COMPOSE["services"]["embedded"]["environment"] == {VARIABLE: None}


def test_xla_is_on_for_the_gpu_alone() -> None:
    assert "--xla_gpu_compilation_enabled=true" in COMPOSE["services"]["gpu"]["command"]
    assert not [flag for flag in COMPOSE["services"]["cpu"]["command"] if "xla" in flag]


def test_the_image_is_one_that_the_bundled_export_runs_on() -> None:
    manifest = json.loads((DEMO / "1" / "assets.extra" / "tfclf.json").read_text(encoding="utf-8"))
    newest = f"{manifest['serving_versions'].split(' to ')[-1]}.0"
    assert COMPOSE["services"]["cpu"]["image"].endswith(f":-{newest}}}")
    assert (
        yaml.safe_load(read_text("kubernetes", "base", "kustomization.yaml"))["images"][0]["newTag"]
        == newest
    )


@pytest.fixture
def metadata_server() -> Iterator[dict[str, int]]:
    """A stand-in for TF Serving's port 8501, with the status that a test sets."""
    answer = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            loaded = self.path in ("/v1/models/news/metadata", "/v1/models/spam/metadata")
            self.send_response(answer["status"] if loaded else 404)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    answer["port"] = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield answer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (404, 1)])
def test_the_health_check_of_compose_tells_a_loaded_model(
    metadata_server: dict[str, int], status: int, code: int
) -> None:
    metadata_server["status"] = status
    assert check_health(metadata_server["port"], SERVING / "config" / "models.config") == code


@pytest.mark.parametrize(("second", "code"), [("spam", 0), ("away", 1)])
def test_the_health_check_asks_for_every_model_of_models_config(
    metadata_server: dict[str, int], tmp_path: Path, second: str, code: int
) -> None:
    config = tmp_path / "models.config"
    config.write_text(
        'model_config_list { config { name: "news" base_path: "/models/a" }\n'
        f'  # name: "comment"\n  config {{ base_path: "/models/b", name: "{second}" }} }}'
    )
    assert check_health(metadata_server["port"], config) == code


def test_a_health_check_of_a_server_that_is_away_fails() -> None:
    assert check_health(1, SERVING / "config" / "models.config")


@pytest.mark.parametrize(("variable", "code"), [("1", 1), ("0", 0), (None, 0)])
def test_the_health_check_finds_an_export_that_frozen_weights_make_wrong(
    metadata_server: dict[str, int], own_export: Path, variable: str | None, code: int
) -> None:
    edit_json(Manifest.path(own_export), frozen_weights=False)
    config = own_export.parent / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "news" base_path: "{own_export.parent}" }} }}'
    )
    environment = {} if variable is None else {VARIABLE: variable}
    assert check_health(metadata_server["port"], config, **environment) == code


def test_the_health_check_passes_an_export_that_allows_frozen_weights(
    metadata_server: dict[str, int], own_export: Path
) -> None:
    config = own_export.parent / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "news" base_path: "{own_export.parent}" }} }}'
    )
    assert check_health(metadata_server["port"], config, **{VARIABLE: "1"}) == 0


def check_health(port: int, config: Path, **environment: str) -> int:
    """Run the health check of compose.yaml on this machine; return its exit code."""
    _, shell, script, mounted = COMPOSE["services"]["cpu"]["healthcheck"]["test"]
    targets = [
        volume["target"] if isinstance(volume, dict) else volume.split(":")[1]
        for volume in COMPOSE["services"]["cpu"]["volumes"]
        if isinstance(volume, dict) or "${" not in volume
    ]
    assert {script, mounted} <= set(targets)
    command = [shell, str(SERVING / Path(script).name), str(config), str(port)]
    return subprocess.run(
        command, check=False, capture_output=True, timeout=60, env={**os.environ, **environment}
    ).returncode


# The image of the embedded server


def read_instruction(name: str) -> str:
    (line,) = re.findall(rf"^{name} (.*)$", read_text("Dockerfile"), re.MULTILINE)
    return str(line)


def test_the_image_listens_where_a_published_port_leads() -> None:
    _python, _m, module, *arguments = json.loads(read_instruction("ENTRYPOINT"))
    parsed = flags.parse([*arguments, "--model_base_path=/models/news"])
    assert module == "tfclf.server"
    assert parsed.host == "0.0.0.0"
    exposed = read_instruction("EXPOSE").split()
    assert [str(parsed.port), str(parsed.rest_api_port)] == exposed


def test_a_flag_after_the_image_overrides_its_own() -> None:
    arguments = json.loads(read_instruction("ENTRYPOINT"))[3:]
    assert flags.parse([*arguments, "--model_base_path=/m", "--rest_api_port=0"]).rest_api_port == 0


def test_the_build_context_holds_what_the_image_copies_and_little_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    kept = {line[1:] for line in lines if line.startswith("!")}
    copies = re.findall(r"^COPY (.*) \S+$", read_text("Dockerfile"), re.MULTILINE)
    assert kept == {name for copy in copies for name in copy.split()}
    assert all((ROOT / name).exists() for name in kept)


# Kubernetes


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """By kind, as kubectl renders them; of the two Services, the last one."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH")
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(render(request.param))}


def pod_of(manifests: Mapping[str, Any]) -> Any:
    return manifests["Deployment"]["spec"]["template"]["spec"]


def server_of(manifests: Mapping[str, Any]) -> Any:
    (container,) = pod_of(manifests)["containers"]
    return container


def test_a_pod_uses_flags_that_exist_and_ports_that_are_declared(
    manifests: Mapping[str, Any],
) -> None:
    server = server_of(manifests)
    flags = parse_flags(server["args"])
    assert set(flags) <= FLAGS
    ports = {port["name"]: str(port["containerPort"]) for port in server["ports"]}
    assert ports == {"grpc": flags["port"], "rest": flags["rest_api_port"]}
    for probe in ("startupProbe", "readinessProbe"):
        assert server[probe]["httpGet"]["port"] in ports
    assert str(server["livenessProbe"]["grpc"]["port"]) == ports["grpc"]
    assert flags["enable_grpc_healthcheck_service"] == "true"


def test_probes_ask_for_the_model_of_model_env(manifests: Mapping[str, Any]) -> None:
    name = re.search(
        r"^MODEL_NAME=(.*)$", read_text("kubernetes", "base", "model.env"), re.MULTILINE
    )
    assert name
    for probe in ("startupProbe", "readinessProbe"):
        assert server_of(manifests)[probe]["httpGet"]["path"] == f"/v1/models/{name[1]}/metadata"


def test_model_env_says_no_to_frozen_weights() -> None:
    assert f"{VARIABLE}=0" in read_text("kubernetes", "base", "model.env").splitlines()


def test_every_mount_has_a_volume_and_every_file_is_in_it(manifests: Mapping[str, Any]) -> None:
    pod = pod_of(manifests)
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    for value in parse_flags(server_of(manifests)["args"]).values():
        if value.startswith("/config/"):
            assert (SERVING / "config" / Path(value).name).is_file()


def test_threads_are_as_many_as_cpus(manifests: Mapping[str, Any]) -> None:
    server = server_of(manifests)
    flags = parse_flags(server["args"])
    cpus = server["resources"]["limits"]["cpu"]
    assert {flags["tensorflow_intra_op_parallelism"], flags["tensorflow_inter_op_parallelism"]} == {
        cpus
    }
    if "xla_gpu_compilation_enabled" not in flags:
        file = Path(flags["batching_parameters_file"]).name
        parameters = parse_config("BatchingParameters", "config", file)
        assert str(parameters.num_batch_threads.value) == cpus


def test_the_server_and_the_fetching_script_read_one_variable(
    manifests: Mapping[str, Any],
) -> None:
    by_name = {variable["name"]: variable for variable in server_of(manifests)["env"]}
    source = by_name[VARIABLE]["valueFrom"]["configMapKeyRef"]
    (fetching,) = pod_of(manifests)["initContainers"]
    assert source["key"] == VARIABLE
    assert source["name"] == fetching["envFrom"][0]["configMapRef"]["name"]


def test_a_pod_has_time_to_end_and_sigterm_reaches_the_server(manifests: Mapping[str, Any]) -> None:
    pod, server = pod_of(manifests), server_of(manifests)
    assert (
        int(server["lifecycle"]["preStop"]["exec"]["command"][-1])
        < pod["terminationGracePeriodSeconds"]
    )
    assert pod["shareProcessNamespace"]  # a process with number 1 would ignore it
    assert server["command"] == ["tensorflow_model_server"]


def test_no_container_is_root_or_writes_to_its_own_files(manifests: Mapping[str, Any]) -> None:
    pod = pod_of(manifests)
    assert pod["securityContext"]["runAsNonRoot"]
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_autoscaler_follows_a_metric_that_the_adapter_gives(
    manifests: Mapping[str, Any],
) -> None:
    (metric,) = manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]
    (rule,) = yaml.safe_load(read_text("prometheus", "adapter.yml"))["rules"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    assert "replicas" not in manifests["Deployment"]["spec"]


def test_selectors_find_the_pods(manifests: Mapping[str, Any]) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert manifests["Service"]["spec"]["selector"].items() <= labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels


# The init container's script


@pytest.fixture(scope="module")
def pristine_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "news-1.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        file.add(DEMO / "1", ".")
    return path


@pytest.fixture
def archive(pristine_archive: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copy(pristine_archive, tmp_path))


def fetch(archive: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (archive.parent / "models").mkdir(exist_ok=True)
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    given = {
        "MODEL_NAME": "news",
        "MODEL_VERSION": "1",
        "MODEL_URL": archive.as_uri(),
        "MODEL_SHA256": checksum,
    }
    environment = {
        "PATH": "/usr/bin:/bin",
        "MODELS": str(archive.parent / "models"),
        **given,
        **environment,
    }
    script = SERVING / "kubernetes" / "base" / "fetch_model.sh"
    return subprocess.run(
        ["sh", script], env=environment, capture_output=True, text=True, check=False
    )


def list_models(archive: Path) -> list[str]:
    models = archive.parent / "models"
    return sorted(
        path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file()
    )


def test_a_model_is_fetched_whole(archive: Path) -> None:
    assert fetch(archive).returncode == 0
    expected = [
        f"news/1/{path.relative_to(DEMO / '1').as_posix()}"
        for path in (DEMO / "1").rglob("*")
        if path.is_file()
    ]
    assert list_models(archive) == sorted(expected)


def test_a_model_that_is_there_is_not_fetched_again(archive: Path) -> None:
    fetch(archive)
    assert fetch(archive, MODEL_URL="file:///nowhere").returncode == 0


def test_a_wrong_checksum_leaves_nothing(archive: Path) -> None:
    done = fetch(archive, MODEL_SHA256="0" * 64)
    assert done.returncode
    assert "expected 000" in done.stderr
    assert list_models(archive) == []


def test_a_cut_archive_leaves_nothing(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-1000])
    assert fetch(archive).returncode
    assert list_models(archive) == []


def test_an_archive_of_something_else_is_told(archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as file:
        file.add(DEMO / "README.md", "1/saved_model.pb")
    done = fetch(archive)
    assert done.returncode
    assert "holds no saved_model.pb at its top" in done.stderr
    assert list_models(archive) == []


def test_a_url_that_does_not_answer_leaves_nothing(archive: Path) -> None:
    assert fetch(archive, MODEL_URL="file:///nowhere").returncode
    assert list_models(archive) == []


# Metrics, alerts, dashboard

NAME = re.compile(r":?\b(?:tensorflow|tfclf|process)(?::\w+|_\w+)+")


def find_used_metrics() -> dict[str, set[str]]:
    """Collect the series that each file names."""
    alerts = yaml.safe_load(read_text("prometheus", "alerts.yml"))["groups"][0]["rules"]
    (rule,) = yaml.safe_load(read_text("prometheus", "adapter.yml"))["rules"]
    texts = {
        "alerts": " ".join(alert["expr"] for alert in alerts),
        "dashboard": " ".join(expr for _, expr in expressions()),
        "adapter": rule["seriesQuery"],
    }
    return {name: set(NAME.findall(text)) for name, text in texts.items()}


@pytest.mark.parametrize("name", ["alerts", "dashboard", "adapter"])
def test_only_documented_metrics_are_used(name: str) -> None:
    page = ROOT / "docs" / "metrics.md"
    if not page.exists():
        pytest.skip("docs/metrics.md is not there")
    rows = [
        line.split("|")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    known: set[str] = set()
    for _, names, kind, *_ in rows:
        for metric in re.findall(r"`([^`]+)`", names):
            known |= (
                {f"{metric}_{part}" for part in ("bucket", "sum", "count")}
                if "histogram" in kind
                else {metric}
            )
    used = find_used_metrics()[name]
    assert used
    assert used <= known


def test_alerts_and_autoscaler_work_with_tf_serving_proper() -> None:
    """TF Serving has none of the series that the embedded server adds."""
    used = find_used_metrics()
    assert not [
        name for name in used["alerts"] | used["adapter"] if not name.startswith(":tensorflow:")
    ]


def test_every_alert_has_a_test_and_says_what_to_do() -> None:
    alerts = yaml.safe_load(read_text("prometheus", "alerts.yml"))["groups"][0]["rules"]
    tests = yaml.safe_load(read_text("prometheus", "alerts_test.yml"))["tests"]
    tried = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert tried == {alert["alert"] for alert in alerts}
    for alert in alerts:
        assert set(alert["annotations"]) == {"summary", "description"}
        assert alert["labels"]["severity"] in {"critical", "warning"}


DASHBOARD = read_dashboard()


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_panels_have_an_id_a_title_a_unit_and_the_data_source_that_is_chosen() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert [target["refId"] for target in panel["targets"]] == list(
                "ABC"[: len(panel["targets"])]
            )


def test_every_variable_of_an_expression_is_declared() -> None:
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]} | {
        "__rate_interval"
    }
    used = {
        name
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        for name in re.findall(r"\$(\w+)", target["expr"])
    }
    assert used <= declared
    assert {"model", "instance"} <= used


# Each by its own tool


@pytest.mark.parametrize("name", CHECKS)
def test_its_own_tool_accepts_it(name: str) -> None:
    try:
        CHECKS[name]()
    except (FileNotFoundError, ModuleNotFoundError) as error:
        pytest.skip(str(error))


@pytest.fixture
def older_archive(own_export: Path, tmp_path: Path) -> Path:
    edit_json(Manifest.path(own_export), frozen_weights=False)
    (tmp_path / "older").mkdir()
    path = tmp_path / "older" / "news-1.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        file.add(own_export, ".")
    return path


def test_an_export_that_frozen_weights_make_wrong_is_refused(older_archive: Path) -> None:
    done = fetch(older_archive, **{VARIABLE: "1"})
    assert done.returncode
    assert "set the variable to 0 in model.env" in done.stderr
    assert list_models(older_archive) == []


def test_without_the_variable_it_is_fetched(older_archive: Path) -> None:
    assert fetch(older_archive, **{VARIABLE: "0"}).returncode == 0


def test_an_export_that_allows_frozen_weights_is_fetched(archive: Path) -> None:
    assert fetch(archive, **{VARIABLE: "1"}).returncode == 0
