"""`helm test`: a tiny training run becomes a Job that begins to learn; then it is cancelled.

It is a model of its own that never gets a version, so nothing that serves is touched; its examples are
deleted.
"""

from __future__ import annotations

import os
import time
import uuid

from test_gateway import DEADLINE, call, form, picture

control = os.environ["CONTROL_URL"]
name = f"helm-test-{uuid.uuid4().hex[:8]}"
ENDED = ("succeeded", "rejected", "failed", "cancelled")


def upload() -> None:
    """A hundred and sixty pictures of two classes, enough to set some aside for validation."""
    for label, colour in (("warm", (220, 90, 40)), ("cold", (40, 90, 220))):
        body, kind = form([picture(*colour) for _ in range(80)], "images", label=label)
        call("POST", f"{control}/v1/datasets/{name}/examples", body, kind)


def wait(run: str, states: tuple[str, ...]) -> dict:
    """The run once it is in one of the states."""
    while time.monotonic() < DEADLINE:
        shown = call("GET", f"{control}/v1/training-runs/{run}")
        if shown["state"] in (*states, *ENDED):
            return shown
        time.sleep(1)
    raise SystemExit(f"the run {run} is still {shown['state']}: kubectl get jobs,events")


upload()
begun = call(
    "POST",
    f"{control}/v1/training-runs",
    b'{"model": "%b", "preset": "tiny", "epochs": 10000, "base": "none"}' % name.encode(),
)
print(f"run {begun['id']} is {begun['reference']}")
shown = wait(begun["id"], ("running",))
if shown["state"] != "running":
    raise SystemExit(f"the run ended as {shown['state']}: {shown['error']}")
print(f"it runs: {shown['progress']['phase']} {shown['progress']['message']}")
call("DELETE", f"{control}/v1/training-runs/{begun['id']}")
ended = wait(begun["id"], ())
if ended["state"] != "cancelled":
    raise SystemExit(f"cancelled, it ended as {ended['state']}: {ended['error']}")
call("DELETE", f"{control}/v1/datasets/{name}?confirm={name}")
print("it was cancelled, and its dataset deleted")
