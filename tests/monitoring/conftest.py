"""The stack of `make run` with a Prometheus that scrapes it, and a little of everything that it counts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_process import ROOT, Prometheus, Watched, eventually, prometheus

from rekindle.loopback import free_ports

PICTURE = ROOT / "docs" / "pictures" / "ship.jpg"
PREDICTIONS = "/v1/models/cifar10/predictions"
START_SECONDS = 480


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
            _live(f"http://127.0.0.1:{http_port}", running)
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


def _live(url: str, running: Prometheus) -> None:
    """Three rounds with scrapes between them, and a training run that must fail."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        run = _start_a_run_of_two_pictures(client)
        for _ in range(3):
            _live_a_moment(client)
            _wait_for_scrapes(running, 3)
        eventually(lambda: client.get(f"/v1/training-runs/{run}").json()["state"] == "failed", 240)


def _live_a_moment(client: httpx.Client) -> None:
    """Pictures at once, a file that is none, two corrections, an upload."""
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda _: _predict(client), range(48)))
    refused = client.post(PREDICTIONS, files={"images": b"no picture"})
    assert refused.status_code == 400, refused.text
    for answer, label in zip(answers, ("ship", "frog"), strict=False):
        found = answer.json()["predictions"][0]["id"]
        eventually(lambda found=found: client.get(f"/v1/predictions/{found}").status_code == 200)
        told = client.put(f"/v1/predictions/{found}/feedback", json={"label": label})
        assert told.status_code == 200, told.text
    _upload(client, "ship")


def _wait_for_scrapes(running: Prometheus, count: int) -> None:
    def scrapes() -> float:
        found = running.query("min(count_over_time(up[1h]))")
        return float(found[0]["value"][1]) if found else 0.0

    before = scrapes()
    eventually(lambda: scrapes() >= before + count)


def _upload(client: httpx.Client, label: str) -> None:
    files = {"images": PICTURE.with_stem(label).read_bytes()}
    uploaded = client.post("/v1/datasets/sparse/examples", files=files, data={"label": label})
    assert uploaded.status_code == 201, uploaded.text


def _predict(client: httpx.Client) -> httpx.Response:
    answer = client.post(PREDICTIONS, files={"images": PICTURE.read_bytes()})
    assert answer.status_code == 200, answer.text
    return answer


def _start_a_run_of_two_pictures(client: httpx.Client) -> str:
    for label in ("ship", "truck"):
        _upload(client, label)
    answer = client.post("/v1/training-runs", json={"model": "sparse", "preset": "tiny", "base": "none"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])
