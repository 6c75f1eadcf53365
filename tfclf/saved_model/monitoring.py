"""The URL path of the metrics, TF Serving's default (monitoring_config.proto).

The embedded server shows its metrics there; the launcher configures the real TF Serving to do so.
"""

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"
