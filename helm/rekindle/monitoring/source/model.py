"""The dashboard of the models: which version answers, how well, and how it is computed."""

from __future__ import annotations

from panels import IN_NAMESPACE as NS
from panels import OF_MODEL as MODEL
from panels import lines, number

BY_VERSION = "model, version"
SERVER = f'{NS},model_name=~"$model"'
"""Of the model server's metrics, whose labels are upstream's."""


def _rate(metric: str, by: str = BY_VERSION, labels: str = MODEL) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str, labels: str = SERVER) -> str:
    return f"histogram_quantile({share}, {_rate(metric + '_bucket', f'le, {by}', labels)})"


RIGHT = f'sum by ({BY_VERSION}) (increase(gateway_feedback_total{{{MODEL},right="yes"}}[$__range]))'
GIVEN = f"sum by ({BY_VERSION}) (increase(gateway_feedback_total{{{MODEL}}}[$__range]))"

VERSIONS = [
    number(
        "Stable version",
        "The one that answers.",
        f"max by (model) (gateway_stable_version{{{MODEL}}})",
        legend="{{model}}",
        width=6,
    ),
    number(
        "Replicas that hold it",
        "Of which each says AVAILABLE.",
        f"max by (model) (gateway_available_replicas{{{MODEL}}})",
        legend="{{model}}",
        width=6,
        steps=((None, "red"), (1, "green")),
    ),
    number(
        "Share of the canary",
        "0 without one.",
        f"max by (model) (gateway_canary_share{{{MODEL}}})",
        "percentunit",
        legend="{{model}}",
        width=6,
    ),
    number(
        "Right, by feedback",
        "Share of the corrected predictions of the shown time whose first label was right. People correct "
        "what they doubt, so it lies below the accuracy of the card.",
        f"({RIGHT} or {GIVEN} * 0) / {GIVEN}",
        "percentunit",
        legend="{{model}} {{version}}",
        width=6,
    ),
    lines(
        "Pictures by version",
        "Answered per second.",
        [("{{model}} {{version}}", _rate("gateway_images_predicted_total"))],
        stacking={"mode": "normal"},
    ),
    lines(
        "Error share by version",
        "Pictures rejected, not served or late.",
        [("{{model}} {{version}}", f"rekindle:version_error_ratio:rate5m{{{MODEL}}}")],
        "percentunit",
    ),
    lines(
        "Feedback",
        "True labels given per second, by whether the answer was right.",
        [("{{model}} {{version}} right: {{right}}", _rate("gateway_feedback_total", f"{BY_VERSION}, right"))],
    ),
    lines(
        "Stable over time",
        "A step is a rollout or a rollback.",
        [("{{model}}", f"max by (model) (gateway_stable_version{{{MODEL}}})")],
        lineInterpolation="stepAfter",
    ),
    lines(
        "Canary that failed",
        "Requests per second that stable answered instead.",
        [("{{model}}", _rate("gateway_canary_fallbacks_total", "model"))],
    ),
    lines(
        "Shadow",
        "Pictures per second that a shadow version answered too.",
        [("{{model}} {{outcome}}", _rate("gateway_shadow_images_total", "model, outcome"))],
    ),
]
LEARNING = [
    lines(
        "Drift",
        "How far the latest window of predictions is from the reference in the card; above 1 it alarms.",
        [("{{model}}", f"max by (model) (gateway_drift_score{{{MODEL}}})")],
    ),
    lines(
        "Evidence against the canary",
        "By signal; at 1 it is rolled back.",
        [("{{model}} {{signal}}", f"max by (model, signal) (gateway_canary_evidence{{{MODEL}}})")],
    ),
    lines(
        "Steps of canaries",
        "Since the gateway was started: began, promoted, rolled back, undecided, ended.",
        [("{{model}} {{step}}", f"sum by (model, step) (gateway_canary_steps_total{{{MODEL}}})")],
    ),
]
INPUTS = [
    lines(
        "Pictures that arrive",
        "Per second.",
        [("{{model}}", f"sum by (model) (rekindle:images_arrived:rate1m{{{MODEL}}})")],
        width=12,
    ),
    lines(
        "Pictures that cannot be decoded",
        "Per second.",
        [("{{model}}", _rate("gateway_images_refused_total", "model"))],
        width=12,
    ),
]
SERVERS = [
    lines(
        "Latency in the model server",
        "99th percentile, by TensorFlow Serving's own metric, in microseconds.",
        [
            (
                "{{model_name}} {{API}}",
                _quantile(0.99, ":tensorflow:serving:request_latency", "model_name, API"),
            )
        ],
        "µs",
    ),
    lines(
        "Time in TensorFlow",
        "Median, by TensorFlow Serving's own metric, in microseconds.",
        [("{{model_name}}", _quantile(0.5, ":tensorflow:serving:runtime_latency", "model_name"))],
        "µs",
    ),
    lines(
        "Requests of the model server",
        "Per second and status.",
        [
            (
                "{{model_name}} {{status}}",
                _rate(":tensorflow:serving:request_count", "model_name, status", SERVER),
            )
        ],
    ),
    lines(
        "Examples in one call",
        "Mean. Rekindle's model server only.",
        [
            (
                "{{model_name}} {{version}}",
                f"{_rate('rekindle_model_server_batch_examples_sum', 'model_name, version', SERVER)}"
                f" / {_rate('rekindle_model_server_batch_examples_count', 'model_name, version', SERVER)}",
            )
        ],
    ),
    lines(
        "Wait in the model server",
        "99th percentile of the seconds before the call into TensorFlow. Rekindle's model server only.",
        [
            (
                "{{model_name}} {{version}}",
                _quantile(0.99, "rekindle_model_server_queue_seconds", "model_name, version"),
            )
        ],
        "s",
    ),
    lines(
        "Loads",
        "Versions loaded in the shown time, warm-up included, by how it ended. Rekindle's model server only.",
        [
            (
                "{{model_name}} {{status}}",
                f"sum by (model_name, status) (rekindle_model_server_load_seconds_count{{{SERVER}}})",
            )
        ],
    ),
]
ROWS = {"Versions": VERSIONS, "Drift and canary": LEARNING, "Pictures": INPUTS, "Model servers": SERVERS}
