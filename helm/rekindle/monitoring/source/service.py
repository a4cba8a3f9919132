"""The dashboard of the service: is it up, is it fast, does it keep up, will it go on."""

from __future__ import annotations

from panels import IN_NAMESPACE as NS
from panels import Panel, bars, lines, number, states

PREDICTIONS = 'route=~"/v[12]/models/[{]model[}](/versions/[{]version[}])?/(predictions|infer)"'
OBJECTIVE = ((None, "red"), (0.995, "orange"), (0.999, "green"))
"""99.9 %, as in rules/objectives.yaml."""


def _availability(window: str) -> str:
    errors = f"sum(sum_over_time(rekindle:prediction_errors:rate5m{{{NS}}}[{window}]))"
    return f"1 - {errors} / sum(sum_over_time(rekindle:prediction_requests:rate5m{{{NS}}}[{window}]))"


def _answered(window: str, words: str) -> Panel:
    about = (
        f"Share of the predictions of the last {words} that were not answered with a 5xx. "
        "Empty where nobody predicted."
    )
    return number(
        f"Availability, {words}", about, _availability(window), "percentunit", steps=OBJECTIVE, decimals=3
    )


def _up(window: str, words: str) -> Panel:
    about = f"Share of the last {words} in which at least one gateway answered Prometheus."
    query = f"min(avg_over_time(rekindle:gateway_up:max{{{NS}}}[{window}]))"
    return number(f"Uptime, {words}", about, query, "percentunit", steps=OBJECTIVE, decimals=3)


def _quantile(share: float, metric: str, by: str = "", more: str = "") -> str:
    labels = ",".join(filter(None, (NS, more)))
    groups = ", ".join(filter(None, ("le", by)))
    buckets = f"sum by ({groups}) (rate({metric}_bucket{{{labels}}}[$__rate_interval]))"
    return f"histogram_quantile({share}, {buckets})"


def _rate(metric: str, by: str = "", more: str = "") -> str:
    labels = ",".join(filter(None, (NS, more)))
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


WINDOWS = (("1h", "hour"), ("24h", "24 hours"), ("30d", "30 days"))
UPTIME = [
    *(_answered(*window) for window in WINDOWS),
    *(_up(*window) for window in WINDOWS),
    states(
        "Up",
        "Which processes answer Prometheus.",
        ("{{job}} {{instance}}", f'up{{job=~"gateway|model-server",release!="",{NS}}}'),
    ),
    bars(
        "Time since start",
        "A process that starts again and again stays short. TensorFlow Serving does not tell.",
        (
            "{{job}} {{instance}}",
            f'time() - process_start_time_seconds{{job=~"gateway|model-server",release!="",{NS}}}',
        ),
        "s",
    ),
    number(
        "Error budget left, 30 days",
        "Of the 0.1 % of predictions that may fail; below 0 the objective is missed.",
        f"1 - (1 - ({_availability('30d')})) / 0.001",
        "percentunit",
        width=6,
        steps=((None, "red"), (0.1, "orange"), (0.5, "green")),
        decimals=1,
    ),
    number(
        "Alerts that fire",
        "Each has a section in docs/runbook.md.",
        f'count(ALERTS{{alertname=~"Rekindle.*",alertstate="firing",{NS}}}) or vector(0)',
        width=6,
        steps=((None, "green"), (1, "red")),
    ),
    number(
        "Replicas that take batches",
        "As the gateways see them.",
        f"count(max by (replica) (gateway_replica_up{{{NS}}}) == 1) or vector(0)",
        width=6,
        steps=((None, "red"), (1, "green")),
    ),
    number(
        "Requests per second",
        "Predictions.",
        f"sum(rekindle:prediction_requests:rate5m{{{NS}}})",
        "reqps",
        width=6,
        decimals=1,
    ),
]
TRAFFIC = [
    lines(
        "Predictions by status",
        "Requests per second.",
        [("{{status}}", _rate("gateway_http_requests_total", "status", PREDICTIONS))],
        "reqps",
        stacking={"mode": "normal"},
    ),
    lines(
        "Latency of predictions",
        "Seconds from the request's headers to the end of the answer.",
        [
            (name, _quantile(share, "gateway_http_request_seconds", more=PREDICTIONS))
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
        ],
        "s",
    ),
    lines(
        "Error share",
        "Answers with 5xx; the objective is 0.1 %.",
        [
            ("5 minutes", f"rekindle:prediction_error_ratio:rate5m{{{NS}}}"),
            ("1 hour", f"rekindle:prediction_error_ratio:rate1h{{{NS}}}"),
        ],
        "percentunit",
    ),
    lines(
        "Requests in flight",
        "Being answered now.",
        [("{{instance}}", f"gateway_http_requests_in_flight{{{NS}}}")],
    ),
    lines(
        "Seconds by stage",
        "Where the median request spends its time.",
        [("{{stage}}", _quantile(0.5, "gateway_stage_seconds", "stage"))],
        "s",
        stacking={"mode": "normal"},
    ),
    lines(
        "Other routes",
        "Requests per second of what is no prediction.",
        [("{{route}}", _rate("gateway_http_requests_total", "route", PREDICTIONS.replace("=~", "!~")))],
        "reqps",
    ),
]
REPLICAS = [
    lines(
        "Pictures that wait",
        "Beyond the limit they are refused with 503.",
        [
            ("{{instance}} waiting", f"gateway_images_queued{{{NS}}}"),
            ("{{instance}} limit", f"gateway_images_queued_limit{{{NS}}}"),
        ],
    ),
    lines(
        "Pictures that arrive, and that are refused",
        "Per second; those that arrive include those refused because the queue was full.",
        [
            ("{{model}} arrive", f"sum by (model) (rekindle:images_arrived:rate1m{{{NS}}})"),
            ("refused", _rate("gateway_images_shed_total")),
        ],
    ),
    lines(
        "Pictures in a batch",
        "Mean of one Predict.",
        [("pictures", f"{_rate('gateway_batch_images_sum')} / {_rate('gateway_batch_images_count')}")],
    ),
    lines(
        "Calls by replica",
        "Per second and outcome; even bars are an even spread.",
        [("{{replica}} {{outcome}}", _rate("gateway_replica_calls_total", "replica, outcome"))],
    ),
    lines(
        "Seconds of a call by replica",
        "99th percentile of what was answered.",
        [("{{replica}}", _quantile(0.99, "gateway_replica_call_seconds", "replica"))],
        "s",
    ),
    states(
        "Replicas",
        "Green while a gateway gives it batches.",
        ("{{replica}} of {{instance}}", f"gateway_replica_up{{{NS}}}"),
        width=8,
    ),
]
RESOURCES = [
    lines(
        "Memory",
        "Resident bytes of each process.",
        [
            (
                "{{job}} {{instance}}",
                f'process_resident_memory_bytes{{job=~"gateway|model-server",release!="",{NS}}}',
            )
        ],
        "bytes",
    ),
    lines(
        "Processors",
        "Seconds of processor time a second.",
        [
            (
                "{{job}} {{instance}}",
                f'rate(process_cpu_seconds_total{{job=~"gateway|model-server",release!="",{NS}}}[$__rate_interval])',
            )
        ],
    ),
    lines(
        "Room in the stores",
        "Share of each file system that is free; at 5 % an alert fires.",
        [("{{store}}", f"rekindle:store_free:ratio{{{NS}}}")],
        "percentunit",
    ),
    lines(
        "History",
        "Predictions written and dropped per second.",
        [
            ("written", _rate("gateway_history_written_total")),
            ("dropped", _rate("gateway_history_dropped_total")),
        ],
    ),
    lines(
        "History that waits",
        "Predictions that are not written yet.",
        [("{{instance}}", f"gateway_history_backlog{{{NS}}}")],
    ),
    lines("Request bodies in memory", "Bytes.", [("{{instance}}", f"gateway_body_bytes{{{NS}}}")], "bytes"),
]
ROWS = {"Uptime": UPTIME, "Traffic": TRAFFIC, "Queue and replicas": REPLICAS, "Resources": RESOURCES}
