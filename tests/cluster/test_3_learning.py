"""Predict, correct, retrain as a Job, gate, canary, promoted: through the API, under load; what fails."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from drawn import picture
from kube import Json, Namespace, eventually, figure
from loading import LoadPod, load
from release import Stack

RUNS = "/v1/training-runs"
ENDED = ("succeeded", "rejected", "failed", "cancelled")
ROLLOUT = "/v1/models/cifar10/rollout"


@pytest.fixture(scope="module")
def clients(stack: Stack, images: dict[str, str]) -> Iterator[LoadPod]:
    """Twenty of them, all the time."""
    with load(
        stack.namespace, images["gateway"], "load-learning", clients=20, rate=20, seconds=900
    ) as running:
        yield running
        said = running.stop()
        counts = f"{said['requests']} requests, {said['failed']} failed, {said['retries']} sent again"
        figure("2", f"20 clients meanwhile: {counts}, versions {said['versions']}")
        assert said["failed"] == 0, said["failures"]


def predicted(namespace: Namespace, content: bytes, **params: Any) -> Json:
    """One prediction."""
    answer = namespace.call(
        "POST", "predict", "/v1/models/cifar10/predictions", files={"images": content}, params=params
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def run_until(namespace: Namespace, run: str, states: tuple[str, ...], seconds: float = 240) -> Json:
    """The run once it is in one of the states."""

    def there() -> Json | None:
        shown = namespace.api("GET", f"{RUNS}/{run}")
        if shown["state"] in ENDED and shown["state"] not in states:
            raise AssertionError(f"the run ended as {shown['state']}: {shown['error']}")
        return shown if shown["state"] in states else None

    return eventually(f"the run {run} {' or '.join(states)}", seconds, there)


def jobs(namespace: Namespace) -> list[str]:
    """Names of all Jobs."""
    return [job["metadata"]["name"] for job in namespace.get("jobs")["items"]]


def upload(namespace: Namespace, dataset: str, labels: list[str], each: int) -> None:
    """Drawn pictures, `each` of every label."""
    for number, label in enumerate(labels):
        colour = (40 + 20 * number, 240 - 20 * number, (90 * number) % 256)
        files = [("images", (f"{index}.png", picture(colour), "image/png")) for index in range(each)]
        namespace.api("POST", f"/v1/datasets/{dataset}/examples", files=files, data={"label": label})


def test_from_a_correction_to_a_better_version(stack: Stack, clients: LoadPod) -> None:
    """The whole circle; no request fails, and the new version answers at the end."""
    namespace = stack.namespace
    began = time.monotonic()
    labels = json_labels(namespace)
    namespace.api("PUT", ROLLOUT, json={"policy": "gated"})
    answer = predicted(namespace, picture((10, 20, 30)))
    wanted = answer["predictions"][0]["id"]
    eventually(
        "the prediction in the history",
        30,
        lambda: namespace.call("GET", "control", f"/v1/predictions/{wanted}").is_success,
    )
    namespace.api("PUT", f"/v1/predictions/{wanted}/feedback", json={"label": "cat"})
    upload(namespace, "cifar10", labels, 60)
    body = {"model": "cifar10", "preset": "tiny", "epochs": 1, "base": "none"}
    begun = namespace.api("POST", RUNS, json=body)
    assert f"rekindle-trainer-{begun['id']}" in jobs(namespace)
    ended = run_until(namespace, begun["id"], ("succeeded", "rejected"))
    figure("2", f"corrected, retrained as a Job: {ended['state']} after {time.monotonic() - began:.0f} s")
    if ended["state"] == "rejected":  # the gate did its work; what follows needs a version
        pytest.fail(f"the gate refused the drawn pictures: {ended['error']}")
    version = ended["version"]
    namespace.api("PUT", ROLLOUT, json={"canary": version, "canary_share": 0.3})
    eventually("answers of the canary", 90, lambda: str(version) in clients.report()["versions"])
    figure("2", f"the canary answers {time.monotonic() - began:.0f} s after the correction")
    # Judged on uploads alone, it does not become stable without somebody's reason.
    namespace.api("PUT", ROLLOUT, json={"stable": version, "reason": "its answers were looked at"})
    eventually(
        "answers of the new version alone",
        90,
        lambda: all(predicted(namespace, picture((1, 2, 3)))["version"] == version for _ in range(5)),
    )
    figure("2", f"promoted: version {version} answers {time.monotonic() - began:.0f} s after the correction")
    clients.wait_for_answers(40)


def json_labels(namespace: Namespace) -> list[str]:
    """The labels of the bundled model."""
    return list(namespace.api("GET", "/v1/models/cifar10/versions/1")["card"]["labels"])


@pytest.fixture(scope="module")
def shades(stack: Stack) -> str:
    """A dataset of two classes."""
    upload(stack.namespace, "shades", ["dark", "light"], 80)
    return "shades"


def start(namespace: Namespace, model: str, **more: Any) -> str:
    """A run that lasts."""
    body = {"model": model, "dataset": "shades", "preset": "tiny", "epochs": 10000, "base": "none"} | more
    return str(namespace.api("POST", RUNS, json=body)["id"])


def test_a_cancelled_run_leaves_no_job(stack: Stack, shades: str) -> None:
    """Its Job is gone, and the run says that it was cancelled."""
    namespace = stack.namespace
    run = start(namespace, "cancelled")
    run_until(namespace, run, ("running",))
    began = time.monotonic()
    namespace.api("DELETE", f"{RUNS}/{run}")
    run_until(namespace, run, ("cancelled",))
    eventually("the Job gone", 60, lambda: f"rekindle-trainer-{run}" not in jobs(namespace))
    figure("2", f"cancelled: run and Job gone within {time.monotonic() - began:.0f} s")


def test_the_gateway_restarts_in_the_middle_of_a_run(stack: Stack, shades: str) -> None:
    """Killed and made anew, it finds the run again; the Job goes on meanwhile."""
    namespace = stack.namespace
    run = start(namespace, "restarted")
    run_until(namespace, run, ("running",))
    [pod] = namespace.pods("gateway-control")
    namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    eventually("another gateway of the role control", 120, lambda: namespace.ready("gateway-control"))
    first = namespace.api("GET", f"{RUNS}/{run}")
    assert first["state"] == "running"
    later = eventually(
        "progress after the restart",
        60,
        lambda: (shown := namespace.api("GET", f"{RUNS}/{run}"))["progress"] != first["progress"] and shown,
    )
    phase = later["progress"]["phase"]
    figure("8", f"gateway killed in the middle of a run: {later['state']}, and goes on ({phase})")
    namespace.api("DELETE", f"{RUNS}/{run}")
    run_until(namespace, run, ("cancelled",))


def test_two_control_gateways_start_nothing_twice(stack: Stack, shades: str) -> None:
    """A schedule that is due begins one run, and of ten equal requests one does."""
    namespace = stack.namespace
    namespace.kubectl("scale", "deployment/rekindle-control", "--replicas=2")
    eventually("two gateways of the role control", 120, lambda: len(namespace.ready("gateway-control")) == 2)
    answers = [
        namespace.call(
            "POST",
            "control",
            RUNS,
            json={"model": "once", "dataset": "shades", "preset": "tiny", "epochs": 10000, "base": "none"},
        )
        for _ in range(10)
    ]
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 9
    run = next(answer.json()["id"] for answer in answers if answer.status_code == 202)
    asked = _cancelled(namespace, run)
    schedule = namespace.api(
        "POST",
        "/v1/schedules",
        json={
            "model": "scheduled",
            "cron": "* * * * *",
            "dataset": "shades",
            "preset": "tiny",
            "epochs": 10000,
            "base": "none",
        },
    )
    begun = eventually(
        "the scheduled run", 90, lambda: namespace.api("GET", f"{RUNS}?model=scheduled")["runs"]
    )
    namespace.api("DELETE", f"/v1/schedules/{schedule['id']}")
    assert len(begun) == 1
    due = _cancelled(namespace, begun[0]["id"])
    figure("8", f"two control gateways: Jobs of 10 equal requests {asked}, of a due schedule {due}")
    assert (asked, due) == (1, 1)
    namespace.kubectl("scale", "deployment/rekindle-control", "--replicas=1")


def _cancelled(namespace: Namespace, run: str) -> int:
    """How many Jobs a run has; it is cancelled at once, since early stopping would end it within a minute."""
    count = eventually("its Job", 30, lambda: sum(run in name for name in jobs(namespace)))
    namespace.api("DELETE", f"{RUNS}/{run}")
    run_until(namespace, run, ("cancelled",))
    return int(count)


def test_a_quota_that_forbids_the_job(stack: Stack, shades: str) -> None:
    """The API says so, and the model is free again."""
    namespace = stack.namespace
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    namespace.kubectl("apply", "-f", "-", given=json.dumps(quota))
    body = {"model": "forbidden", "dataset": "shades", "preset": "tiny", "base": "none"}
    refused = eventually(
        "the quota at work",
        30,
        lambda: (answer := namespace.call("POST", "control", RUNS, json=body)).status_code == 503 and answer,
    )
    namespace.kubectl("delete", "resourcequota", "none")
    assert "exceeded quota: none" in refused.json()["detail"]


def test_rights_taken_away_while_it_runs(stack: Stack, shades: str) -> None:
    """The API says who may not do what."""
    namespace = stack.namespace
    binding = namespace.get("rolebinding", "rekindle-control")
    namespace.kubectl("delete", "rolebinding", "rekindle-control")
    body = {"model": "forbidden", "dataset": "shades", "preset": "tiny", "base": "none"}
    refused = namespace.call("POST", "control", RUNS, json=body)
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        binding["metadata"].pop(name, None)
    namespace.kubectl("apply", "-f", "-", given=json.dumps(binding))
    assert refused.status_code == 503
    assert "forbidden" in refused.json()["detail"]
