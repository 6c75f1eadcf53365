"""A Prometheus that scrapes the embedded server: the dashboard has data, alerts are computed."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import yaml

import tfclf
from tests.server.own_process import DEMO
from tests.serving.lint_deployments import SERVING, expressions, read_dashboard
from tests.serving.live_prometheus import PROGRAM, LivePrometheus, run_prometheus
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PROGRAM is None, reason="prometheus is not on PATH (apt install prometheus)"
    ),
]
_EXPRESSIONS = [pytest.param(promql, id=title) for title, promql in expressions()]
_ALERTS = yaml.safe_load((SERVING / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
_SCRAPES = 3


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePrometheus]:
    """Scrape a server that answers requests between the scrapes."""
    with serve(DEMO, model_name="news", port=0, rest_port=0) as server:
        address = urlsplit(server.rest_url or "").netloc
        with (
            tfclf.Client(server.address, model="news") as client,
            run_prometheus(address, tmp_path_factory.mktemp("prometheus")) as prometheus,
        ):
            # A rate needs a counter in two scrapes: the first request makes its series.
            for scrapes in range(1, 2 * _SCRAPES):
                client.predict(HEADLINES)
                prometheus.wait_until_scraped(scrapes)
            yield prometheus


@pytest.mark.parametrize("expression", _EXPRESSIONS)
def test_each_expression_of_the_dashboard_has_data(
    prometheus: LivePrometheus, expression: str
) -> None:
    assert prometheus.query(expression)


@pytest.mark.parametrize("name", ["model", "instance"])
def test_each_variable_of_the_dashboard_has_values(prometheus: LivePrometheus, name: str) -> None:
    variables = read_dashboard()["templating"]["list"]
    (variable,) = (each for each in variables if each["name"] == name)
    series, label = (
        variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ")
    )
    assert {each["metric"][label] for each in prometheus.query(series)} - {""}


@pytest.mark.parametrize(
    "name", [rule["alert"] for group in _ALERTS["groups"] for rule in group["rules"]]
)
def test_each_alert_is_computed(prometheus: LivePrometheus, name: str) -> None:
    (rule,) = (rule for rule in prometheus.rules() if rule["name"] == name)
    assert rule["health"] == "ok"
