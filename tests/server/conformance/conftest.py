"""Every engine that this machine has serves the same models; the tests know nothing of which it is.

`engine` is parametrised over all of them; test_table.py says which are missing, and why. Each gets the same flags, so
that `python -m tfclf.server` stands where tensorflow_model_server stands. One process of each serves all models.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigResponse
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server.conformance.engines import ENGINES, Served, missing, running
from tests.server.conformance.models import Models, save_models

METRICS_PATH = "/monitoring/prometheus/metrics"
REST_TIMEOUT = 4.0  # seconds

Reload = Callable[[ModelServerConfig], ReloadConfigResponse]


@pytest.fixture(scope="session", params=[name for name in ENGINES if not missing(name)])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that an engine must see."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(scope="session")
def models(
    engine: str,
    tmp_path_factory: pytest.TempPathFactory,
    echo_base: Path,
    scorer_base: Path,
    half_plus_two_base: Path,
) -> Models:
    """Of this engine alone, for tests write new versions."""
    folder = tmp_path_factory.mktemp(engine)
    return save_models(folder, echo=echo_base, scorer=scorer_base, half_plus_two=half_plus_two_base)


@pytest.fixture(scope="session")
def served(engine: str, models: Models, folder: Path) -> Iterator[Served]:
    """All models of a models.config."""
    config, monitoring = models.folder / "models.config", models.folder / "monitoring.config"
    config.write_text(text_format.MessageToString(models.config()))
    monitoring.write_text(f'prometheus_config {{ enable: true path: "{METRICS_PATH}" }}')
    flags = [
        f"--model_config_file={config}",
        f"--monitoring_config_file={monitoring}",
        "--allow_version_labels_for_unavailable_models=true",  # or else none may have labels at the start
        "--enable_grpc_healthcheck_service=true",
        "--file_system_poll_wait_seconds=1",
        f"--rest_api_timeout_in_ms={1000 * REST_TIMEOUT:.0f}",
        "--max_num_load_retries=0",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=600000",
    ]
    names = [each.name for each in models.config().model_config_list.config]
    with running(engine, flags, folder, models=names) as served:
        yield served


@pytest.fixture(scope="session")
def single(engine: str, models: Models, folder: Path) -> Iterator[Served]:
    """One model named by flags, its graph by tags, answers in tensor_content; no health service, no metrics."""
    flags = [
        "--model_name=one",
        f"--model_base_path={models.bases['graphs']}",
        "--saved_model_tags=serve,gpu",
        "--enable_serialization_as_tensor_content=true",
        f"--grpc_socket_path={models.folder}/socket",
        "--file_system_poll_wait_seconds=0",
        "--enable_batching",
        "--rest_api_enable_cors_support",
    ]
    with running(engine, flags, folder, models=["one"]) as served:
        yield served


@pytest.fixture
def reload(served: Served, models: Models) -> Iterator[Reload]:
    """Another configuration, for one test."""
    yield served.reload
    served.reload(models.config())
