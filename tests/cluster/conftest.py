"""The end-to-end suite: collected with REKINDLE_E2E=1 only, since it needs a cluster (`make e2e` sets it).

One release is installed once and handed from file to file in their order; what fails leaves events and logs
under build/e2e. KUBECONFIG names the cluster; REKINDLE_LOAD is a command that hands images, whose names are
appended, to its nodes (`kind load docker-image`, `minikube image load`); empty where they can be pulled.
With REKINDLE_E2E_KEEP=1 the release stays, and with REKINDLE_E2E_CONTINUE=1 the next call takes it over, so
that one file can be tried alone.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kube import ARTEFACTS, ROOT, Namespace, api_proxy, figure, run
from release import Stack

if not os.environ.get("REKINDLE_E2E"):
    collect_ignore_glob = ["test_*.py"]

IMAGES = {
    "gateway": os.environ.get("REKINDLE_GATEWAY_IMAGE", "rekindle/gateway:e2e"),
    "modelServer": os.environ.get("REKINDLE_MODEL_SERVER_IMAGE", "rekindle/model-server:e2e"),
    "trainer": os.environ.get("REKINDLE_TRAINER_IMAGE", "rekindle/trainer:e2e"),
}
FOLDERS = {"gateway": "gateway", "modelServer": "model_server", "trainer": "trainer"}
THIRD_PARTY = shlex.split(os.environ.get("REKINDLE_THIRD_PARTY_IMAGES", ""))
GATE = {
    "minimum_examples": 10,
    "minimum_class_examples": 0,
    "tolerance": 0.99,
    "class_tolerance": 1.0,
    "corrections_share": 0.0,
    "calibration_limit": 1.0,
    "size_factor": 10.0,
    "latency_factor": 100.0,
}
"""For a version that learned a few drawn pictures: that there is a gate is tested, not how strict it is."""
SERVING = os.environ.get("REKINDLE_TENSORFLOW_SERVING_IMAGE", "")
"""Upstream's image, where it is at hand; else our model server takes its place, through the same values."""


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Built (unless REKINDLE_BUILD is empty) and handed to the nodes."""
    if build := os.environ.get("REKINDLE_BUILD", "docker build"):
        for name, image in IMAGES.items():
            began = time.monotonic()
            dockerfile = str(ROOT / FOLDERS[name] / "Dockerfile")
            run(*shlex.split(build), "-t", image, "-f", dockerfile, str(ROOT), timeout=1800)
            size = int(run("docker", "image", "inspect", "-f", "{{.Size}}", image)) / 1e6
            figure("7", f"{image}: {size:.0f} MB unpacked, built in {time.monotonic() - began:.0f} s")
        figure("7", f"{IMAGES['gateway']}: {_packed_bytes(IMAGES['gateway']) / 1e6:.0f} MB packed")
    if load := os.environ.get("REKINDLE_LOAD", ""):
        run(*shlex.split(load), *IMAGES.values(), *THIRD_PARTY, timeout=1800)
    return IMAGES


def _packed_bytes(image: str) -> int:
    """What a node that has nothing of it downloads, about: registries pack each layer with gzip."""
    packed = 'set -o pipefail; docker save "$1" | gzip | wc --bytes'
    return int(run("bash", "-c", packed, "bash", image, timeout=600))


@pytest.fixture(scope="session")
def proxy() -> Iterator[str]:
    """The API server's proxy."""
    with api_proxy() as url:
        yield url


@pytest.fixture(scope="session")
def values(images: dict[str, str]) -> dict[str, Any]:
    """For a small cluster: small requests, and times that suit a test."""
    named = {
        name: dict(zip(("repository", "tag"), image.rsplit(":", 1), strict=True))
        for name, image in images.items()
    }
    flavour = "tensorflow-serving" if SERVING else "rekindle"
    if SERVING:
        named["tensorflowServing"] = dict(zip(("repository", "tag"), SERVING.rsplit(":", 1), strict=True))
    figure("0", f"model server: {SERVING or images['modelServer']} ({flavour})")
    small = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
    return {
        "fullnameOverride": "rekindle",
        "images": named,
        "modelServer": {
            "flavour": flavour,
            "resources": {
                "requests": {"cpu": "100m", "memory": "512Mi"},
                "limits": {"cpu": None, "memory": "2Gi"},
            },
            "threads": 1,
            "preStopSeconds": 8,
            "minReadySeconds": 5,
            "autoscaling": {"enabled": False},
        },
        "gateway": {
            "access": {"allowUnprotected": True},
            "config": {"server": {"drain_seconds": 5}, "history": {"pictures": "all"}, "gate": GATE},
            "predict": {"replicas": 1, "resources": small, "autoscaling": {"enabled": False}},
            "control": {"resources": small},
        },
        "trainer": {
            "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}}
        },
        "database": {
            "bundled": {"userId": int(os.environ.get("REKINDLE_POSTGRES_UID", "999")), "size": "1Gi"}
        },
        "storage": {"models": {"size": "1Gi"}, "data": {"size": "1Gi"}, "keep": False},
    }


@pytest.fixture(scope="session")
def stack(values: dict[str, Any], proxy: str) -> Iterator[Stack]:
    """An empty namespace for the release; the first test installs it."""
    namespace = Namespace(os.environ.get("REKINDLE_E2E_NAMESPACE", "rekindle-e2e"), proxy)
    if not os.environ.get("REKINDLE_E2E_CONTINUE"):  # with it, the release of an earlier run is taken over
        namespace.create()
    made = Stack(namespace, values)
    yield made
    if not os.environ.get("REKINDLE_E2E_KEEP"):
        namespace.delete()
    namespace.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep what the cluster says when a test fails."""
    report = yield
    found = getattr(item, "funcargs", {}).get("stack")
    if report.failed and found is not None:
        print(f"kept: {found.namespace.keep(item.name)}")
    return report


def pytest_sessionstart(session: pytest.Session) -> None:
    """The figures of a run are its own."""
    (ARTEFACTS / "figures.txt").unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """All figures once more."""
    if (figures := ARTEFACTS / "figures.txt").is_file():
        terminalreporter.write_line(figures.read_text())
