"""From nothing: one `helm install`, the first prediction, `helm test`, and what was admitted."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from drawn import picture
from kube import Json, eventually, figure, run, since
from release import Stack

COMPONENTS = (
    "gateway-predict",
    "gateway-control",
    "model-server",
    "postgresql",
    "prometheus",
    "metrics-adapter",
)


def test_the_first_prediction(stack: Stack) -> None:
    """Through the Service, minutes after `helm install` on a cluster that has nothing of it."""
    namespace = stack.namespace
    autoscaled = {
        "modelServer": {"autoscaling": {"enabled": True, "maxReplicas": 3, "imagesPerSecond": 1000}}
    }
    stack.values = stack.upgraded(autoscaled)
    stack.began = time.monotonic()
    namespace.helm("install", stack.values)
    installed = time.monotonic() - stack.began
    path = "/v1/models/cifar10/predictions"

    def answered() -> Json | None:
        answer = namespace.call("POST", "predict", path, files={"images": picture()})
        return answer.json() if answer.status_code == 200 else None

    answer = eventually("a prediction through the Service", 420, answered)
    first = time.monotonic() - stack.began
    figure(
        "1",
        f"helm install returned after {installed:.1f} s, first prediction {first:.1f} s after it began",
    )
    assert answer["version"] == 1
    assert len(answer["predictions"][0]["classifications"]) == 5


def test_helm_test(stack: Stack) -> None:
    """Predicts a picture, and starts and cancels a tiny training run."""
    eventually("the gateway of the role control", 180, lambda: stack.namespace.ready("gateway-control"))
    began = time.monotonic()
    said = run("helm", "test", stack.namespace.release, "-n", stack.namespace.name, "--logs", "--timeout=5m")
    assert said.count("Phase:          Succeeded") == 2, said
    assert "it was cancelled" in said
    figure("1", f"helm test passed in {time.monotonic() - began:.1f} s")


@pytest.mark.parametrize("component", COMPONENTS)
def test_start_to_ready(stack: Stack, component: str) -> None:
    """Every component comes up, admitted by Pod Security `restricted`; the seconds it took."""
    [pod, *_] = eventually(f"{component} Ready", 240, lambda: stack.namespace.ready(component))
    started = max(each["state"]["running"]["startedAt"] for each in pod["status"]["containerStatuses"])
    created = pod["metadata"]["creationTimestamp"]
    figure(
        "7",
        f"{component}: container start to Ready {seconds(started, since(pod, 'Ready')):.0f} s, "
        f"pod created to Ready {seconds(created, since(pod, 'Ready')):.0f} s",
    )
    assert not [
        event
        for event in stack.namespace.get("events")["items"]
        if "violates PodSecurity" in event["message"]
    ]


def seconds(start: str, end: str) -> float:
    """Between two times of the API."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
