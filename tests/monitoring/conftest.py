"""The stack of `make run` with a Prometheus that scrapes it, and a little of everything that it counts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_process import ROOT, Prometheus, eventually, prometheus

from rekindle.loopback import free_ports

PICTURE = ROOT / "docs" / "pictures" / "ship.jpg"
START_SECONDS = 480


@dataclass(frozen=True)
class Watched:
    """A gateway and a model server with a past, and the Prometheus that knows it."""

    gateway: str
    metrics: dict[str, str]
    """Job → URL of its metrics."""
    prometheus: Prometheus


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Started once; ready when the traffic has been scraped."""
    folder = tmp_path_factory.mktemp("watched")
    shutil.copytree(ROOT / "models" / "cifar10" / "1", folder / "models" / "cifar10" / "1")
    http_port, grpc_port, rest_port = free_ports(3)
    flags = ["--http-port", str(http_port), "--grpc-port", str(grpc_port), "--rest-port", str(rest_port)]
    flags += ["--models", str(folder / "models"), "--data", str(folder / "data")]
    metrics = {
        "gateway": f"http://127.0.0.1:{http_port}/metrics",
        "model-server": f"http://127.0.0.1:{rest_port}/monitoring/prometheus/metrics",
    }
    stack = subprocess.Popen(
        [sys.executable, "-m", "rekindle.stack", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until_it_runs(stack)
        with prometheus(folder, metrics) as running:
            eventually(lambda: _all_are_up(running))
            _live(f"http://127.0.0.1:{http_port}")
            yield Watched(f"http://127.0.0.1:{http_port}", metrics, running)
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(60)


def _all_are_up(running: Prometheus) -> bool:
    targets = running.get("targets")["activeTargets"]
    print({target["scrapeUrl"]: target["lastError"] for target in targets})  # what pytest shows of a failure
    return [target["health"] for target in targets] == ["up", "up"]


def _wait_until_it_runs(stack: subprocess.Popen[str]) -> None:
    lines: list[str] = []
    is_running = threading.Event()

    def read() -> None:
        assert stack.stdout is not None
        with stack.stdout as output:
            for line in output:
                lines.append(line)
                if "Ctrl-C stops it" in line:
                    is_running.set()
        is_running.set()

    threading.Thread(target=read, daemon=True).start()
    assert is_running.wait(START_SECONDS), "".join(lines)
    assert stack.poll() is None, "".join(lines)


def _live(url: str) -> None:
    """Predictions, a correction, a file that is no picture, an upload, a training run that must fail."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        run = _start_a_run_of_two_pictures(client)
        predicted = [_predict(client, PICTURE.read_bytes()) for _ in range(40)]
        assert (
            client.post("/v1/models/cifar10/predictions", files={"images": b"no picture"}).status_code == 400
        )
        found = predicted[0].json()["predictions"][0]["id"]
        for label in ("ship", "frog"):
            eventually(lambda: client.get(f"/v1/predictions/{found}").status_code == 200)
            answer = client.put(f"/v1/predictions/{found}/feedback", json={"label": label})
            assert answer.status_code == 200, answer.text
        eventually(lambda: client.get(f"/v1/training-runs/{run}").json()["state"] == "failed", 240)
        for _ in range(10):
            _predict(client, PICTURE.read_bytes())


def _predict(client: httpx.Client, content: bytes) -> httpx.Response:
    answer = client.post("/v1/models/cifar10/predictions", files={"images": content})
    assert answer.status_code == 200, answer.text
    return answer


def _start_a_run_of_two_pictures(client: httpx.Client) -> str:
    for label in ("ship", "truck"):
        files = {"images": (PICTURE.with_stem(label)).read_bytes()}
        uploaded = client.post("/v1/datasets/sparse/examples", files=files, data={"label": label})
        assert uploaded.status_code == 201, uploaded.text
    body = {"model": "sparse", "preset": "tiny", "base": "none"}
    answer = client.post("/v1/training-runs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])
