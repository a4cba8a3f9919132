"""A pod that puts load on the gateways, and what it has seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kube import Namespace, eventually

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
POD = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}


class LoadPod:
    """Running clients."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self._namespace = namespace
        self._name = name

    def report(self) -> dict[str, Any]:
        """The newest line."""
        lines = self._namespace.kubectl("logs", self._name, "--tail=1", check=False).strip().splitlines()
        try:
            found: dict[str, Any] = json.loads(lines[-1])
        except (IndexError, ValueError):
            return {
                "requests": 0,
                "answered": 0,
                "failed": 0,
                "retries": 0,
                "failures": lines,
                "versions": {},
            }
        return found

    def wait_for_answers(self, count: int = 1) -> None:
        """Until so many more are answered."""
        goal = self.report()["answered"] + count
        eventually("answers to the load", 120, lambda: self.report()["answered"] >= goal)

    def phase(self) -> str:
        """Of the pod."""
        return str(self._namespace.get("pod", self._name)["status"].get("phase"))

    def stop(self) -> dict[str, Any]:
        """The sums up to now; the pod is deleted."""
        said = self.report()
        self._namespace.kubectl("delete", "pod", self._name, "--now", "--wait=false", check=False)
        return said


@contextmanager
def load(
    namespace: Namespace,
    image: str,
    name: str,
    *,
    clients: int,
    rate: float,
    seconds: int,
    images: int = 1,
    allow: str = "",
) -> Iterator[LoadPod]:
    """Clients that call until the block ends, or `seconds` have passed."""
    script = (Path(__file__).parent / "load.py").read_text()
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "load"},
        "data": {"load.py": script},
    }
    arguments = [
        "--url",
        f"http://{namespace.release}-predict",
        "--model",
        "cifar10",
        "--clients",
        str(clients),
    ]
    arguments += ["--rate", str(rate), "--seconds", str(seconds), "--images", str(images)]
    arguments += ["--allow", *allow.split()] if allow else []
    container = {
        "name": "load",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/venv/bin/python", "/load/load.py", *arguments],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": POD,
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": "load"}}],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "load"}},
        "spec": spec,
    }
    namespace.kubectl("delete", "pod", name, "--now", "--ignore-not-found")
    for manifest in (config, pod):
        namespace.kubectl("apply", "-f", "-", given=json.dumps(manifest))
    running = LoadPod(namespace, name)
    try:
        running.wait_for_answers()
        yield running
    finally:
        running.stop()
