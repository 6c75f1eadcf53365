"""TF Serving's REST API: `app` moves bytes, `handler` runs RPCs, and the others know JSON."""
