"""A Prometheus of its own that scrapes one server each second, by the files of serving/."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.ports import free_ports
from tests.serving.lint_deployments import SERVING

PROGRAM = shutil.which("prometheus")
SECONDS_BETWEEN_SCRAPES = 1
_MOST_WAITED = 60.0


class LivePrometheus:
    """The HTTP API of a Prometheus that runs."""

    def __init__(self, port: int) -> None:
        """Args: port: of 127.0.0.1."""
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expression: str) -> list[Mapping[str, Any]]:
        """Return the series that an expression has now: {"metric": labels, "value": [s, text]}."""
        return self._get("query", query=expression)["result"]  # type: ignore[no-any-return]

    def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[Mapping[str, Any]]:
        """Return its series over a time in Unix seconds: {"metric": labels, "values": [...]}."""
        found = self._get("query_range", query=expression, start=start, end=end, step=step)
        return found["result"]  # type: ignore[no-any-return]

    def rules(self) -> list[Mapping[str, Any]]:
        """Return the rules, with the health that their last evaluation left."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def wait_until_scraped(self, times: int) -> None:
        """Wait until the server has been scraped so often."""
        deadline = time.monotonic() + _MOST_WAITED
        while time.monotonic() < deadline:
            counts = self.query('count_over_time(up{job="tf-serving"}[1h])')
            if counts and int(counts[0]["value"][1]) >= times:
                return
            time.sleep(0.2)
        raise TimeoutError(f"fewer than {times} scrapes within {_MOST_WAITED:.0f} seconds")

    def _get(self, path: str, **parameters: Any) -> Mapping[str, Any]:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        body = answer.json()
        if body["status"] != "success":
            raise RuntimeError(f"{path} {parameters}: {body['error']}")
        return body["data"]  # type: ignore[no-any-return]


@contextlib.contextmanager
def run_prometheus(rest_address: str, folder: Path) -> Iterator[LivePrometheus]:
    """Run it with serving/'s configuration and alerts, but for the server's address and the pace.

    Args:
      rest_address: HOST:PORT of a server's REST port.
      folder: for its files.
    """
    assert PROGRAM is not None
    config = yaml.safe_load((SERVING / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    pace = f"{SECONDS_BETWEEN_SCRAPES}s"
    config["global"] = {
        "scrape_interval": pace,
        "scrape_timeout": pace,
        "evaluation_interval": pace,
    }
    config["rule_files"] = [str(SERVING / "prometheus" / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [rest_address]}]
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    (port,) = free_ports(1)
    command = [
        PROGRAM,
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_ready(port, process, folder / "log")
            yield LivePrometheus(port)
        finally:
            process.terminate()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _MOST_WAITED
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/-/ready").is_success:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Prometheus did not start: {log.read_text(encoding='utf-8')}")
