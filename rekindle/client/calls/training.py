"""The requests about training runs, and about what starts them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rekindle.answers.training import Publication, Run, RunPage, Schedules, Triggers
from rekindle.client.calls.call import Call, given, url_path


def start_run(model: str, **wanted: Any) -> Call[Run]:
    """`wanted`: dataset, preset, epochs, seed, base, start. The key makes repeating it safe."""
    options = {"json": {"model": model, **given(**wanted)}, "headers": {"Idempotency-Key": uuid4().hex}}
    return Call(Run, "POST", "/v1/training-runs", options)


def runs(cursor: str | None = None, **wanted: Any) -> Call[RunPage]:
    """One page; `wanted`: model, state, limit."""
    return Call(RunPage, "GET", "/v1/training-runs", {"params": given(cursor=cursor, **wanted)})


def run(name: str) -> Call[Run]:
    """One run with its progress."""
    return Call(Run, "GET", url_path("training-runs", name))


def run_log(name: str) -> Call[bytes]:
    """What it has printed so far."""
    return Call(bytes, "GET", url_path("training-runs", name, "logs"), {"params": {"follow": "false"}})


def cancel_run(name: str) -> Call[Run]:
    """Ask it to end."""
    return Call(Run, "DELETE", url_path("training-runs", name), is_repeatable=False)


def publish_refused(name: str, reason: str) -> Call[Publication]:
    """A second time gives the same version."""
    path = url_path("training-runs", name, "publication")
    return Call(Publication, "POST", path, {"json": {"reason": reason}})


def triggers() -> Call[Triggers]:
    """What would start a run by itself, and whether one may start now."""
    return Call(Triggers, "GET", "/v1/triggers")


def schedules() -> Call[Schedules]:
    """Every schedule."""
    return Call(Schedules, "GET", "/v1/schedules")
