"""Under steady load: pods killed, deleted, restarted, upgraded, rolled back, scaled down: nothing fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from kube import Namespace, eventually, figure, run, since
from loading import LoadPod, load
from release import Stack

KILLS = 20
KILL = """
import os, signal
for name in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{name}/cmdline", "rb") as file:
        if b"--model_config_file=" in file.read():
            os.kill(int(name), signal.SIGKILL)
"""
SERVERS = 3


@pytest.fixture(scope="module")
def steady(stack: Stack, images: dict[str, str]) -> Iterator[LoadPod]:
    """Eight clients over three model servers and two gateways."""
    fixed = {
        "modelServer": {"replicas": SERVERS, "autoscaling": {"enabled": False}},
        "gateway": {"predict": {"replicas": 2}},
    }
    stack.values = stack.upgraded(fixed)
    stack.namespace.helm("upgrade", stack.values)
    settled(stack.namespace)
    with load(stack.namespace, images["gateway"], "load-steady", clients=8, rate=16, seconds=900) as running:
        yield running


def settled(namespace: Namespace) -> None:
    """Every Deployment has what it wants, and nothing else is on its way."""
    for deployment in ("model-cifar10", "predict", "control"):
        namespace.kubectl("rollout", "status", f"deployment/rekindle-{deployment}", "--timeout=180s")


def available(namespace: Namespace) -> list[str]:
    """Model servers that have been Ready for as long as the chart gives the gateways to find a new one."""
    deployment = namespace.get("deployment/rekindle-model-cifar10")
    latest = datetime.now(UTC) - timedelta(seconds=deployment["spec"]["minReadySeconds"])
    return [
        pod["metadata"]["name"]
        for pod in namespace.ready("model-server")
        if datetime.fromisoformat(since(pod, "Ready")) <= latest
    ]


@pytest.fixture
def lossless(steady: LoadPod) -> Callable[[str], None]:
    """Call it at the end: nothing failed since the beginning of the test."""
    before, began = steady.report(), time.monotonic()

    def check(what: str) -> None:
        steady.wait_for_answers(30)
        after = steady.report()
        counts = {name: after[name] - before[name] for name in ("requests", "failed", "retries")}
        said = f"{counts['requests']} requests, {counts['failed']} failed, {counts['retries']} sent again"
        figure("4", f"{what}: {said} after a closed connection, {time.monotonic() - began:.0f} s")
        assert counts["failed"] == 0, after["failures"]

    return check


def test_model_servers_are_killed(stack: Stack, lossless: Callable[[str], None]) -> None:
    """With SIGKILL, twenty of them, each while others serve; the pods that follow take part."""
    namespace = stack.namespace
    killed: set[str] = set()
    while len(killed) < KILLS:
        serving = available(namespace)
        new = [name for name in serving if name not in killed]
        if len(serving) < 2 or not new:
            time.sleep(0.5)
            continue
        kill = ("exec", new[0], "-c", "model-server", "--", "/opt/venv/bin/python", "-c", KILL)
        namespace.kubectl(*kill, check=False)
        # A new pod in its place: the kubelet would wait ever longer before it starts a container again.
        namespace.kubectl("delete", "pod", new[0], "--grace-period=0", "--force", "--wait=false")
        killed.add(new[0])
    settled(namespace)
    lossless(f"{KILLS} model server pods killed with SIGKILL")


def test_gateways_are_deleted_gracefully(stack: Stack, lossless: Callable[[str], None]) -> None:
    """Each once, one after the other."""
    namespace = stack.namespace
    for component in ("gateway-predict", "gateway-predict", "gateway-control"):
        pod = namespace.ready(component)[0]["metadata"]["name"]
        namespace.kubectl("delete", "pod", pod)
        settled(namespace)
    lossless("2 + 1 gateways deleted gracefully")


def test_rolling_restarts(stack: Stack, lossless: Callable[[str], None]) -> None:
    """Of each Deployment, at once."""
    for deployment in ("model-cifar10", "predict", "control"):
        stack.namespace.kubectl("rollout", "restart", f"deployment/rekindle-{deployment}")
    settled(stack.namespace)
    lossless("rolling restart of each Deployment")


def test_helm_upgrade_and_rollback(stack: Stack, lossless: Callable[[str], None]) -> None:
    """A change of settings of everything, and back."""
    namespace = stack.namespace
    changed = {
        "gateway": {"config": {"log": {"level": "debug"}}},
        "modelServer": {"pod": {"annotations": {"changed": "yes"}}},
    }
    namespace.helm("upgrade", stack.upgraded(changed), "--wait", "--timeout=5m")
    settled(namespace)
    run("helm", "rollback", namespace.release, "-n", namespace.name, "--wait", "--timeout=5m")
    settled(namespace)
    lossless("helm upgrade and helm rollback")


def test_scale_down(stack: Stack, lossless: Callable[[str], None]) -> None:
    """From three to one."""
    namespace = stack.namespace
    namespace.kubectl("scale", "deployment/rekindle-model-cifar10", "--replicas=1")
    eventually("one model server", 120, lambda: len(namespace.everything("model-server")) == 1)
    lossless("3 model servers scaled down to 1")
