"""Manifests as the chart renders them, and how tests look into them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "rekindle"
KUBERNETES = "1.34.4"
OPEN: dict[str, Any] = {"gateway": {"access": {"allowUnprotected": True}}}
"""The least that must be chosen."""

Manifest = dict[str, Any]

VALUE_SETS: dict[str, dict[str, Any]] = {
    "trial": OPEN,
    "tokens": {
        "gateway": {"access": {"tokensSecret": "tokens"}, "control": {"replicas": 2}},
        "database": {"bundled": {"enabled": False}, "urlSecret": {"name": "database"}},
        "tests": {"tokenSecret": "operator-token"},
        "prometheus": {"storage": {"size": "5Gi", "storageClass": "disks"}},
    },
    "ours, several models, one node": OPEN
    | {
        "modelServer": {"flavour": "rekindle"},
        "models": {"cifar10": {}, "Road_signs": {"replicas": 2, "autoscaling": {"enabled": False}}},
        "storage": {"accessMode": "ReadWriteOnce", "storageClass": "disks"},
        "trainer": {"workers": {"enabled": True, "count": 3}},
    },
    "sealed network": OPEN
    | {
        "image": {
            "registry": "registry.example.com/mirror",
            "pullSecrets": ["registry"],
            "pullPolicy": "Always",
        },
        "network": {
            "caBundle": {"configMap": "authorities"},
            "httpProxy": "http://proxy:3128",
            "httpsProxy": "http://proxy:3128",
            "noProxy": ".example.com",
        },
    },
    "world": OPEN
    | {
        "ingress": {
            "enabled": True,
            "host": "rekindle.example.com",
            "tlsSecret": "tls",
            "className": "nginx",
        },
        "gatewayRoute": {
            "enabled": True,
            "parentRefs": [{"name": "main"}],
            "hostnames": ["rekindle.example.com"],
        },
        "networkPolicy": {"gatewayFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]},
        "autoscaling": {"provider": "keda"},
        "monitoring": {"operator": "always", "operatorLabels": {"release": "stack"}},
    },
    "object store": OPEN
    | {
        "objectStore": {
            "models": "s3://bucket/models",
            "data": "s3://bucket/data",
            "credentialsSecret": "bucket",
            "env": [{"name": "AWS_ENDPOINT_URL", "value": "http://store:9000"}],
            "pollSeconds": 7,
            "ports": [9000],
        },
        "storage": {"accessMode": "ReadWriteOnce"},
        "network": {"caBundle": {"configMap": "authorities"}},
    },
    "GPUs": OPEN
    | {
        "modelServer": {
            "resources": {"limits": {"nvidia.com/gpu": 1, "cpu": None}},
            "pod": {
                "nodeSelector": {"gpu": "yes"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                "priorityClassName": "serving",
                "runtimeClassName": "nvidia",
                "env": [{"name": "TF_FORCE_GPU_ALLOW_GROWTH", "value": "true"}],
                "volumes": [{"name": "cache", "emptyDir": {}}],
                "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
            },
        },
        "autoscaling": {"provider": "cpu"},
        "prometheus": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}


@dataclass(frozen=True)
class Rendered:
    """What Helm printed, or said."""

    status: int
    manifests: list[Manifest]
    said: str

    def one(self, kind: str, ending: str) -> Manifest:
        """The one object of the kind whose name ends so."""
        [found] = [each for each in self.all(kind) if each["metadata"]["name"].endswith(ending)]
        return found

    def all(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""
        return [each for each in self.manifests if each["kind"] == kind]

    def kinds(self) -> set[str]:
        """The kinds there are."""
        return {each["kind"] for each in self.manifests}


def render(helm: str, values: Mapping[str, Any], *more: str) -> Rendered:
    """`helm template`, once for the same arguments; what comes back is not to be changed."""
    return _rendered(helm, json.dumps(values), *more)


@lru_cache(maxsize=32)
def _rendered(helm: str, values: str, *more: str) -> Rendered:
    command = [helm, "template", "rekindle", str(CHART), "--kube-version", KUBERNETES, "--values", "-", *more]
    ran = subprocess.run(command, input=values, capture_output=True, text=True, timeout=120, check=False)
    manifests = [each for each in yaml.safe_load_all(ran.stdout) if each] if not ran.returncode else []
    return Rendered(ran.returncode, manifests, ran.stderr)


def pod_specs(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod spec, with its object's name."""
    for each in manifests:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], spec
        elif "template" in spec and "spec" in spec["template"]:
            yield each["metadata"]["name"], spec["template"]["spec"]


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Init containers too."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def at(value: Any, path: str) -> Any:
    """`spec.template.spec.containers.0.args`."""
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value
