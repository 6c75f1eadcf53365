"""Make the picture of serving/'s dashboard in docs/assets; `make pictures` runs it too.

    python -m docs.website.dashboard

Grafana itself is not used. The embedded server answers clients for some minutes, a Prometheus
(Debian's package `prometheus`) scrapes it, and matplotlib draws what the dashboard's own
expressions return, each panel at its place, with its title and unit.
"""

import re
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from docs.website.pictures import ASSETS, shrink
from tests.server.own_process import DEMO
from tests.serving.lint_deployments import fill_variables, read_dashboard
from tests.serving.live_prometheus import PROGRAM, LivePrometheus, run_prometheus
from tfclf.sample_texts import HEADLINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE = ASSETS / "dashboard.png"
_MODELS = ("news", "headlines")  # two names of the bundled model: over gRPC, over REST
_RATE_INTERVAL = "15s"  # of Grafana's variable: 4 scrapes and more
_CLIENTS_OF_STAGE = (1, 12, 4)
_SECONDS_OF_STAGE = 50
_COLUMNS = 24  # of a dashboard of Grafana
_INCHES_OF_COLUMN = 0.55
_INCHES_OF_ROW = 0.32
_MARGINS = (0.55, 0.4, 0.15, 0.3)  # of a panel, in inches: left, bottom, right, top
# Grafana's name of a unit: what to divide by, and the unit that is shown then.
_UNITS: Mapping[str, tuple[float, str]] = {
    "µs": (1e3, "ms"),
    "bytes": (2**30, "GiB"),
    "percentunit": (0.01, "%"),
    "reqps": (1, "requests/s"),
    "short": (1, ""),
}


def draw() -> None:
    """Serve, ask, scrape, and write the picture."""
    import matplotlib.pyplot as plt

    from tfclf.server import serve

    if PROGRAM is None:
        raise SystemExit("prometheus is not on PATH; Debian has it in the package prometheus.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "models.config"
        entries = (
            f'config {{ name: "{model}" base_path: "{DEMO}" model_platform: "tensorflow" }}'
            for model in _MODELS
        )
        config.write_text(f"model_config_list {{ {' '.join(entries)} }}", encoding="utf-8")
        (folder / "prometheus").mkdir()
        with serve(config, port=0, rest_port=0) as server:
            address = urlsplit(server.rest_url or "").netloc
            with run_prometheus(address, folder / "prometheus") as prometheus:
                start = time.time()
                for clients in _CLIENTS_OF_STAGE:
                    _ask(server.address, server.rest_url or "", clients)
                figure = _draw_panels(prometheus, start, time.time())
    figure.savefig(PICTURE, dpi=80)
    plt.close(figure)
    shrink(PICTURE)


def _ask(address: str, rest_url: str, clients: int) -> None:
    """Let so many clients ask for the seconds of a stage; one of them asks over REST."""
    import tfclf

    end = time.monotonic() + _SECONDS_OF_STAGE
    over_grpc, over_rest = _MODELS

    def call_grpc() -> None:
        with tfclf.Client(address, model=over_grpc) as client:
            while time.monotonic() < end:
                client.predict(HEADLINES[:4])

    def call_rest() -> None:
        while time.monotonic() < end:
            body = {"instances": HEADLINES[:1]}
            httpx.post(f"{rest_url}/v1/models/{over_rest}:predict", json=body).raise_for_status()
            time.sleep(0.1)

    threads = [threading.Thread(target=call_rest)]
    threads += [threading.Thread(target=call_grpc) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _draw_panels(prometheus: LivePrometheus, start: float, end: float) -> "Figure":
    import matplotlib.pyplot as plt

    panels = read_dashboard()["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    width, height = _COLUMNS * _INCHES_OF_COLUMN, rows * _INCHES_OF_ROW
    figure = plt.figure(figsize=(width, height))
    left, bottom, right, top = (
        inches / of for inches, of in zip(_MARGINS, 2 * (width, height), strict=True)
    )
    for panel in panels:
        place = panel["gridPos"]
        x, w = place["x"] / _COLUMNS, place["w"] / _COLUMNS
        y, h = 1 - (place["y"] + place["h"]) / rows, place["h"] / rows
        if panel["type"] == "row":
            figure.text(x + left / 4, y + h / 4, panel["title"], fontsize=12, fontweight="bold")
        else:
            axes = figure.add_axes((x + left, y + bottom, w - left - right, h - bottom - top))
            _draw_panel(axes, panel, prometheus, start, end)
    return figure


def _draw_panel(
    axes: "Axes", panel: Mapping[str, Any], prometheus: LivePrometheus, start: float, end: float
) -> None:
    divisor, unit = _UNITS[panel["fieldConfig"]["defaults"]["unit"]]
    for target in panel["targets"]:
        expression = fill_variables(target["expr"], _RATE_INTERVAL)
        for series in prometheus.query_range(expression, start, end, step=1):
            seconds = [at - start for at, _ in series["values"]]
            numbers = [float(value) / divisor for _, value in series["values"]]
            axes.plot(seconds, numbers, label=_name_series(target, series["metric"]), linewidth=1.2)
    axes.set_title(panel["title"], fontsize=9, loc="left")
    axes.set_ylabel(unit, fontsize=7)
    axes.set_xlabel("seconds", fontsize=7)
    axes.set_xlim(0, end - start)
    axes.set_ylim(0, max(1.25 * axes.dataLim.y1, 1))  # room for the names of the series
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="upper left", frameon=False)


def _name_series(target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Fill in a legend of Grafana: {{name}} is the value of a label."""
    legend: str = target["legendFormat"]
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend).strip()


if __name__ == "__main__":
    draw()
