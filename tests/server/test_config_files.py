"""Batching, SSL and monitoring files are read as TF Serving reads them."""

from pathlib import Path

import pytest

from tfclf.errors import ServerError
from tfclf.saved_model.monitoring import PROMETHEUS_PATH
from tfclf.server.config_files import read_batching, read_monitoring, read_tls
from tfclf.server.runtime.batching import Batching

PEM = "-----BEGIN CERTIFICATE-----\\nMII=\\n-----END CERTIFICATE-----\\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.config"


def test_a_batching_file_says_what_it_says(file: Path) -> None:
    file.write_text(
        "max_batch_size { value: 128 } batch_timeout_micros { value: 500 }\n"
        "max_enqueued_batches { value: 7 } num_batch_threads { value: 3 }\n"
        "allowed_batch_sizes: 32 allowed_batch_sizes: 128\n"
        'thread_pool_name { value: "mine" } pad_variable_length_inputs: true\n'
    )
    assert read_batching(file) == Batching(
        max_execution_batch_size=128,
        max_batch_size=128,
        batch_timeout_micros=500,
        max_enqueued_batches=7,
        num_batch_threads=3,
        allowed_batch_sizes=(32, 128),
        pad_variable_length_inputs=True,
    )


def test_an_empty_batching_file_means_tf_serving_s_defaults(file: Path) -> None:
    file.write_text("")
    assert read_batching(file) == Batching(
        max_execution_batch_size=1_000,
        max_batch_size=1_000,
        batch_timeout_micros=0,
        max_enqueued_batches=10,
    )


def test_a_batch_may_be_smaller_than_a_request(file: Path) -> None:
    file.write_text(
        "max_batch_size { value: 512 } max_execution_batch_size { value: 64 } "
        "enable_large_batch_splitting { value: true }"
    )
    batching = read_batching(file)
    assert (batching.max_batch_size, batching.max_execution_batch_size) == (512, 64)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("max_batch_size: 12", "Invalid protobuf file"),
        ("max_bach_size { value: 12 }", r"1:1 .*no field named \"max_bach_size\".*max_batch_size"),
        ("max_batch_size { value: 0 }", "max_batch_size is 0; expected a whole number, 1 or more"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros is -1"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "end with the largest batch, 8"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 4 allowed_batch_sizes: 2", "that go up"),
    ],
)
def test_a_bad_batching_file_is_an_error_that_says_where(
    file: Path, text: str, complaint: str
) -> None:
    file.write_text(text)
    with pytest.raises(ServerError, match=complaint) as raised:
        read_batching(file)
    assert str(file) in str(raised.value)


def test_a_missing_file_is_an_error(file: Path) -> None:
    with pytest.raises(ServerError, match="cannot be read: No such file"):
        read_batching(file)


def test_an_ssl_file_holds_the_pem_texts(file: Path) -> None:
    file.write_text(
        f'server_key: "{PEM}" server_cert: "{PEM}" custom_ca: "{PEM}" client_verify: true'
    )
    tls = read_tls(file)
    assert tls.key == tls.certificate == tls.ca == PEM.replace("\\n", "\n").encode()
    assert tls.verify_clients


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f'server_key: "{PEM}"', "server_cert is empty"),
        (
            f'server_key: "/etc/key.pem" server_cert: "{PEM}"',
            "server_key holds no PEM block.*not the file's path",
        ),
        (f'server_key: "{PEM}" server_cert: "{PEM}" client_verify: true', "custom_ca is empty"),
    ],
)
def test_a_bad_ssl_file_is_an_error(file: Path, text: str, complaint: str) -> None:
    file.write_text(text)
    with pytest.raises(ServerError, match=complaint):
        read_tls(file)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", None),
        ("prometheus_config { enable: false }", None),
        ("prometheus_config { enable: true }", PROMETHEUS_PATH),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
    ],
)
def test_a_monitoring_file_says_where_metrics_are(file: Path, text: str, path: str | None) -> None:
    file.write_text(text)
    assert read_monitoring(file) == path


def test_a_monitoring_path_is_a_url_s(file: Path) -> None:
    file.write_text('prometheus_config { enable: true path: "metrics" }')
    with pytest.raises(ServerError, match="expected a path of a URL"):
        read_monitoring(file)
