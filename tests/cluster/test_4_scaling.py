"""The HPA on the Prometheus metric: 1 → 3 → 1 model servers, and how the replicas share the work."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from kube import Namespace, eventually, figure, since
from loading import load
from release import Stack

DEPLOYMENT = "rekindle-model-cifar10"
CAPACITY = 20
"""Images per second of one replica, far below what it could do: a small machine shows the same mechanism."""
HIGH, LOW = 52, 5
FAST_DOWN = {
    "scaleDown": {
        "stabilizationWindowSeconds": 15,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 5}],
    }
}


class Timeline:
    """Replicas and the metric, second by second; and when a new replica first answered after it was Ready."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._old = {pod["metadata"]["name"] for pod in namespace.ready("model-server")}
        self.steps: list[str] = []
        self.first_answer: dict[str, float] = {}

    def __enter__(self) -> Timeline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._look()
            self._stop.wait(1)

    def _look(self) -> None:
        hpa = self._namespace.get("hpa", DEPLOYMENT)
        servers = self._namespace.pods("model-server")
        ready = {pod["status"].get("podIP", ""): since(pod, "Ready") for pod in servers}
        new = [pod["status"].get("podIP", "") for pod in servers if pod["metadata"]["name"] not in self._old]
        [gateway] = self._namespace.pods("gateway-predict")
        page = self._namespace.of_pod(gateway["metadata"]["name"], 9000, "/metrics")
        for address in filter(ready.get, new):
            has_answered = f'outcome="answered",replica="{address}:8500"' in page
            if has_answered and address not in self.first_answer:
                passed = datetime.now(UTC) - datetime.fromisoformat(ready[address])
                self.first_answer[address] = passed.total_seconds()
        step = f"{hpa['status'].get('desiredReplicas', 0)} wanted, {sum(map(bool, ready.values()))} ready"
        if not self.steps or not self.steps[-1].endswith(step):
            self.steps.append(f"{time.monotonic() - self._began:.0f} s, {metric(hpa)}/s: {step}")


def metric(hpa: dict[str, Any]) -> str:
    """The metric's sum as the HPA saw it last."""
    for each in hpa["status"].get("currentMetrics") or []:
        if each and each.get("external", {}).get("metric", {}).get("name") == "rekindle_images_per_second":
            value = each["external"]["current"].get("averageValue", "0")
            one = float(value[:-1]) / 1000 if value.endswith("m") else float(value)
            return f"{one * max(1, hpa['status'].get('currentReplicas', 1)):.0f}"
    return "?"


def shares(namespace: Namespace, seconds: int) -> dict[str, float]:
    """Images that each replica answered in the last seconds, by address."""
    expression = f'sum by (replica) (increase(gateway_replica_calls_total{{outcome="answered"}}[{seconds}s]))'
    return {replica: count for replica, count in namespace.query(expression).items() if count > 0}


def ready_is(namespace: Namespace, count: int) -> bool:
    """So many model servers are Ready, and no other is on its way."""
    return len(namespace.ready("model-server")) == len(namespace.pods("model-server")) == count


def test_the_number_follows_the_demand(stack: Stack, images: dict[str, str]) -> None:
    """One replica, three under load, one afterwards; the new ones answer soon and share evenly."""
    namespace, image = stack.namespace, images["gateway"]
    scaling = {"enabled": True, "maxReplicas": 3, "imagesPerSecond": CAPACITY, "behavior": FAST_DOWN}
    stack.values = stack.upgraded({"modelServer": {"autoscaling": scaling}})
    namespace.helm("upgrade", stack.values)
    eventually("one replica", 90, lambda: ready_is(namespace, 1))
    with Timeline(namespace) as timeline:
        with load(namespace, image, "load-high", clients=16, rate=HIGH, seconds=600) as running:
            eventually("three replicas", 180, lambda: ready_is(namespace, 3))
            time.sleep(40)  # the window of the shares begins when the last one takes part
            found = shares(namespace, 30)
            high = running.stop()
        with load(namespace, image, "load-low", clients=2, rate=LOW, seconds=600) as running:
            eventually("one replica again", 180, lambda: ready_is(namespace, 1))
            low = running.stop()
    figure("3", "timeline: " + " · ".join(timeline.steps))
    spread = max(found.values()) / min(found.values())
    told = ", ".join(f"{count:.0f}" for count in found.values())
    figure("3", f"each of {len(found)} replicas answered {told} calls in 30 s (max/min {spread:.2f})")
    late = sorted(timeline.first_answer.values())
    figure("3", "first answer after Ready: " + ", ".join(f"{one:.1f} s" for one in late))
    for name, said in (("high", high), ("low", low)):
        figure("3", f"{name} load: {said['requests']} requests, {said['failed']} failed")
        assert not said["failed"], said["failures"]
    assert len(found) == 3
    assert spread <= 1.2
    assert max(late) <= 10
