"""The page of the metrics, from the objects that count them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from gateway.metrics import Metrics as GatewayMetrics
from model_server.metrics.recorder import Metrics as ModelServerMetrics

HEAD = """# Metrics

The gateway shows them at `/metrics`, or on a port of their own (`GATEWAY_SERVER__METRICS_PORT`); the model
server at `/monitoring/prometheus/metrics` of its REST port, if it was started with
`--monitoring_config_file`. Beside these there are `process_*` and `python_*` of the Prometheus client. A
histogram has the series `_bucket`, `_sum` and `_count`. What to do with them:
[monitoring](../how-to/monitoring.md). Written by `make reference` from the code.

## Gateway
"""
MODEL_SERVER = """
## Model server

Those of TensorFlow Serving, under its names, which have no `_total`:
"""
OWN = """
Its own:
"""
TABLE = "| metric | kind | labels | |\n|---|---|---|---|"


def page() -> str:
    """The page."""
    server = ModelServerMetrics(lambda model: True)
    upstream = [
        f"| `{each.name}` | {type(each).__name__.lower()} | {_labels(each.labels)} |"
        for each in server._upstream
    ]
    parts = [HEAD, TABLE, *_rows(GatewayMetrics().registry), MODEL_SERVER]
    parts += ["| metric | kind | labels |\n|---|---|---|", *upstream, OWN, TABLE, *_rows(server._own), ""]
    return "\n".join(parts)


def _rows(registry: CollectorRegistry) -> Iterator[str]:
    for metric in dict.fromkeys(registry._collector_to_names):
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            yield f"| `{name}` | {metric._type} | {_labels(metric._labelnames)} | {metric._documentation} |"


def _labels(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
