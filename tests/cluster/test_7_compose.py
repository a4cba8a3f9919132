"""compose.yaml on the local Docker Engine: three model servers share the work, one is killed."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from drawn import picture
from kube import ROOT, eventually, figure, run

PATH = "/v1/models/cifar10/predictions"
ANSWERED = 'sum by (replica) (increase(gateway_replica_calls_total{outcome="answered"}[1m]))'


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Project:
    """The services, and where they answer."""

    environment: dict[str, str]
    gateway: str
    prometheus: str

    def compose(self, *arguments: str) -> str:
        """`docker compose` in the repository's root."""
        command = ["docker", "compose", "-f", str(ROOT / "compose.yaml"), "-p", "rekindle-e2e", *arguments]
        return run(*command, environment=self.environment)

    def query(self, expression: str) -> dict[str, float]:
        """An instant query, by the first label."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, trust_env=False)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return {next(iter(one["metric"].values()), ""): float(one["value"][1]) for one in found}


def prometheus_config(folder: Path) -> Path:
    """The project's own; without DNS discovery where the Prometheus at hand was built without it."""
    path = ROOT / "deploy" / "prometheus.yaml"
    if not os.environ.get("REKINDLE_PROMETHEUS_WITHOUT_DNS"):
        return path
    config = yaml.safe_load(path.read_text())
    for job in config["scrape_configs"]:
        for found in job.pop("dns_sd_configs", []):
            job["static_configs"] = [{"targets": [f"{found['names'][0]}:{found['port']}"]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    folder.chmod(0o755)
    return folder / "prometheus.yaml"


@pytest.fixture(scope="module")
def project(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Up with the images of this suite, on free ports; down with its volumes."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker")
    http, prometheus = free_port(), free_port()
    environment = dict(os.environ) | {
        "REKINDLE_GATEWAY_IMAGE": images["gateway"],
        "REKINDLE_MODEL_SERVER_IMAGE": images["modelServer"],
        "REKINDLE_TRAINER_IMAGE": images["trainer"],
        "REKINDLE_PROMETHEUS_CONFIG": str(prometheus_config(tmp_path_factory.mktemp("prometheus"))),
        "REKINDLE_HTTP_PORT": str(http),
        "REKINDLE_PROMETHEUS_PORT": str(prometheus),
    }
    made = Project(environment, f"http://127.0.0.1:{http}", f"http://127.0.0.1:{prometheus}")
    began = time.monotonic()
    made.compose("up", "--detach", "--no-build", "--quiet-pull")
    try:
        eventually("three replicas behind the gateway", 240, lambda: len(replicas(made)) == 3)
        figure("6", f"compose up to three replicas that answer: {time.monotonic() - began:.0f} s")
        yield made
    finally:
        print(made.compose("logs", "--tail", "20") if os.environ.get("REKINDLE_E2E_KEEP") else "")
        made.compose("down", "--volumes", "--timeout", "5")


def replicas(project: Project) -> list[str]:
    """The addresses that take batches, as the gateway sees it."""
    try:
        found: dict[str, bool] = httpx.get(f"{project.gateway}/readyz", trust_env=False).json()["replicas"]
    except (httpx.HTTPError, ValueError, KeyError):
        return []
    return [address for address, is_up in found.items() if is_up]


def test_one_of_three_is_killed(project: Project) -> None:
    """Predictions are spread; after a kill none fails, and Prometheus shows who answered."""
    outcomes: Counter[int] = Counter()
    end = time.monotonic() + 40

    def client() -> None:
        with httpx.Client(base_url=project.gateway, timeout=20, trust_env=False) as http:
            while time.monotonic() < end:
                outcomes[http.post(PATH, files={"images": picture()}).status_code] += 1

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client) for _ in range(6)]
        time.sleep(25)
        shares = project.query(ANSWERED)
        run("docker", "kill", "--signal", "KILL", project.compose("ps", "-q", "model-server").split()[0])
        for each in clients:
            each.result()
    told = ", ".join(f"{count:.0f}" for count in shares.values())
    figure("6", f"compose: statuses of all requests, one server killed meanwhile: {dict(outcomes)}")
    figure("6", f"compose: calls of each replica before the kill, from Prometheus: {told}")
    assert len(shares) == 3
    assert set(outcomes) == {200}
