"""TF Serving's REST API: `app` moves bytes, `handler` answers, `read`, `examples` and `write` know JSON."""
