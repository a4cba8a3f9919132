"""The dashboard of training: do runs succeed, how long do they take, what do they learn from."""

from __future__ import annotations

from panels import IN_NAMESPACE as NS
from panels import Panel, lines, number, states


def _ended(state: str) -> str:
    return f'sum(increase(gateway_training_runs_total{{{NS},state="{state}"}}[$__range]))'


def _number(state: str, about: str, colour: str) -> Panel:
    steps = ((None, "text"), (0.5, colour))
    return number(f"Runs {state}", about, _ended(state), width=4, steps=steps, decimals=0)


RUNS = [
    _number("succeeded", "In the shown time: a version was published.", "green"),
    _number("rejected", "In the shown time: trained, and refused by the gate, which loses nothing.", "blue"),
    _number("failed", "In the shown time.", "red"),
    _number("cancelled", "In the shown time, by a person.", "orange"),
    number(
        "Runs queued",
        "Waiting to be carried out.",
        f'sum(gateway_training_runs_unfinished{{{NS},state="queued"}})',
    ),
    number("Runs running", "Now.", f'sum(gateway_training_runs_unfinished{{{NS},state="running"}})'),
    lines(
        "Runs that last",
        "By state.",
        [("{{state}}", f"sum by (state) (gateway_training_runs_unfinished{{{NS}}})")],
    ),
    lines(
        "Runs that ended",
        "Since the gateway that follows them was started.",
        [("{{state}}", f"sum by (state) (gateway_training_runs_total{{{NS}}})")],
    ),
    lines(
        "Seconds of a run",
        "Mean of those that ended so far, by how.",
        [
            (
                "{{state}}",
                f"sum by (state) (gateway_training_run_seconds_sum{{{NS}}})"
                f" / sum by (state) (gateway_training_run_seconds_count{{{NS}}})",
            )
        ],
        "s",
    ),
    states(
        "Who follows the runs",
        "One gateway holds the lease.",
        ("{{instance}}", f"gateway_control_lease{{{NS}}}"),
    ),
    lines(
        "Versions that were given up",
        "Could not be brought to answer.",
        [("{{model}}", f"sum by (model) (gateway_versions_failed_total{{{NS}}})")],
        width=12,
    ),
]
DATA = [
    lines(
        "Runs that triggers asked for",
        "Since the gateway was started, by what became of them.",
        [
            (
                "{{trigger}} {{outcome}}",
                f"sum by (trigger, outcome) (gateway_training_triggers_total{{{NS}}})",
            )
        ],
        width=6,
    ),
    lines(
        "Uploaded files",
        "Per second: added, duplicate, conflict or refused.",
        [("{{outcome}}", f"sum by (outcome) (rate(gateway_dataset_files_total{{{NS}}}[$__rate_interval]))")],
        width=6,
    ),
    lines(
        "Corrections",
        "True labels given per second, by whether the answer was right.",
        [
            (
                "{{model}} right: {{right}}",
                f"sum by (model, right) (rate(gateway_feedback_total{{{NS}}}[$__rate_interval]))",
            )
        ],
        width=6,
    ),
    lines(
        "Room for data, runs and models",
        "Share of each file system that is free.",
        [("{{store}}", f'rekindle:store_free:ratio{{{NS},store=~"data|runs|models"}}')],
        "percentunit",
        width=6,
    ),
]
ROWS = {"Runs": RUNS, "Data": DATA}
