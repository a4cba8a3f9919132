"""What a rendered chart asks of a cluster, at rest and at the autoscalers' limits: CPUs, memory, volumes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from kubernetes.utils.quantity import parse_quantity

ROOT = Path(__file__).resolve().parents[1]
KUBERNETES = "1.34.4"
GIBIBYTE = 2**30

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Demand:
    """CPUs and bytes that pods ask for together."""

    pods: int = 0
    cpus: float = 0.0
    memory: float = 0.0

    def __add__(self, other: Demand) -> Demand:
        return Demand(self.pods + other.pods, self.cpus + other.cpus, self.memory + other.memory)

    def times(self, count: int) -> Demand:
        """Of so many equal pods."""
        return Demand(self.pods * count, self.cpus * count, self.memory * count)

    def __str__(self) -> str:
        pods = "a pod" if self.pods == 1 else f"{self.pods} pods"
        return f"{pods}: {self.cpus:.2f} CPUs, {self.memory / GIBIBYTE:.1f} GiB"


@dataclass(frozen=True)
class Needs:
    """What one set of values asks for."""

    least: Demand
    most: Demand
    training: Demand
    shared: int
    """GiB of shared volumes."""
    disks: int
    """GiB of disks that one pod has."""


def rendered(helm: str, guide: str | None, *settings: str) -> list[Manifest]:
    """The chart with a guide's values, and further `--set` ones. Raises CalledProcessError."""
    command = [helm, "template", "rekindle", str(ROOT / "helm" / "rekindle"), "--skip-tests"]
    command += ["--kube-version", KUBERNETES]
    if guide is not None:
        command += ["--values", str(ROOT / "deploy" / guide / "values.yaml")]
    for setting in settings:
        command += ["--set", setting]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return [each for each in yaml.safe_load_all(text) if each]


def needs(manifests: list[Manifest]) -> Needs:
    """Sums over all pods; between the least and the most stand the autoscalers."""
    limits = {
        each["spec"]["scaleTargetRef"]["name"]: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
        for each in manifests
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    least = most = training = Demand()
    shared = disks = 0
    for each in manifests:
        if each["kind"] in ("Deployment", "StatefulSet"):
            own = each["spec"].get("replicas", 1)
            fewest, greatest = limits.get(each["metadata"]["name"], (own, own))
            pod = _pod(each["spec"]["template"]["spec"])
            least, most = least + pod.times(fewest), most + pod.times(greatest)
            disks += sum(map(_gibibytes, each["spec"].get("volumeClaimTemplates", [])))
        elif each["kind"] == "CronJob":
            training += _pod(each["spec"]["jobTemplate"]["spec"]["template"]["spec"])
        elif each["kind"] == "PersistentVolumeClaim":
            is_data = each["metadata"]["labels"]["app.kubernetes.io/component"] == "storage"
            shared, disks = shared + is_data * _gibibytes(each), disks + (not is_data) * _gibibytes(each)
    return Needs(least, most, training, shared, disks)


def _pod(spec: dict[str, Any]) -> Demand:
    """What Kubernetes reserves: the containers together, or the largest of those that run before them."""

    def asked(container: dict[str, Any], what: str) -> float:
        return _number(container.get("resources", {}).get("requests", {}).get(what, 0))

    def reserved(what: str) -> float:
        together = sum(asked(each, what) for each in spec["containers"])
        return max([together, *(asked(each, what) for each in spec.get("initContainers", []))])

    return Demand(1, reserved("cpu"), reserved("memory"))


def _gibibytes(claim: Manifest) -> int:
    return int(_number(claim["spec"]["resources"]["requests"]["storage"]) / GIBIBYTE)


def _number(quantity: str | float) -> float:
    return float(parse_quantity(quantity))  # type: ignore[no-untyped-call]
