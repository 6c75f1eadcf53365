"""Every engine on this machine serves the same models; the tests do not know which engine it is.

`engine` is parametrised over all of them; test_table.py says which are missing, and why. Each gets
the same flags: `python -m tfclf.server` must be able to replace tensorflow_model_server. One
process of each engine serves all models.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigResponse
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server.conformance.engines import ENGINES, Served, explain_missing, run_engine
from tests.server.conformance.models import Models, save_models

METRICS_PATH = "/monitoring/prometheus/metrics"
REST_TIMEOUT = 4.0  # seconds

Reload = Callable[[ModelServerConfig], ReloadConfigResponse]


@pytest.fixture(scope="session", params=[name for name in ENGINES if not explain_missing(name)])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that contains all files for an engine."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(scope="session")
def models(
    engine: str,
    tmp_path_factory: pytest.TempPathFactory,
    echo_base: Path,
    scorer_base: Path,
    half_plus_two_base: Path,
) -> Models:
    """Models for this engine only, because tests write new versions."""
    folder = tmp_path_factory.mktemp(engine)
    return save_models(folder, echo=echo_base, scorer=scorer_base, half_plus_two=half_plus_two_base)


@pytest.fixture(scope="session")
def served(engine: str, models: Models, folder: Path) -> Iterator[Served]:
    """An engine with all models of a models.config."""
    config, monitoring = models.folder / "models.config", models.folder / "monitoring.config"
    config.write_text(text_format.MessageToString(models.config()))
    monitoring.write_text(f'prometheus_config {{ enable: true path: "{METRICS_PATH}" }}')
    flags = [
        f"--model_config_file={config}",
        f"--monitoring_config_file={monitoring}",
        # Without it, no model may have labels at the start.
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_grpc_healthcheck_service=true",
        "--file_system_poll_wait_seconds=1",
        f"--rest_api_timeout_in_ms={1000 * REST_TIMEOUT:.0f}",
        "--max_num_load_retries=0",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=600000",
        "--enable_model_warmup=false",  # seconds for the demo; no test here is about it
    ]
    names = [model.name for model in models.config().model_config_list.config]
    with run_engine(engine, flags, folder, models=names) as served:
        yield served


@pytest.fixture(scope="session")
def single(engine: str, models: Models, folder: Path) -> Iterator[Served]:
    """An engine with one model named by flags, its graph named by tags.

    It answers in tensor_content and has neither health service nor metrics.
    """
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
    with run_engine(engine, flags, folder, models=["one"]) as served:
        yield served


@pytest.fixture
def reload(served: Served, models: Models) -> Iterator[Reload]:
    """Change the configuration for one test."""
    yield served.reload
    served.reload(models.config())
