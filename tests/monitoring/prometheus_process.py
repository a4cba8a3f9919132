"""A real Prometheus on loopback, and the names that a query asks for."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rekindle.loopback import free_ports

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "helm" / "rekindle" / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yaml"))
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
REQUIRED = os.environ.get("REKINDLE_REQUIRE_ALL_TESTS") == "1"

CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
"""
JOB = """  - job_name: {name}
    metrics_path: {path}
    static_configs: [{{targets: ["{target}"], labels: {{namespace: here, release: test}}}}]
"""


def program(name: str) -> str:
    """`prometheus` or `promtool`; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        if REQUIRED:
            pytest.fail(f"{name} is not installed: apt-get install prometheus")
        pytest.skip(f"needs {name}: apt-get install prometheus")
    return found


@dataclass(frozen=True)
class Prometheus:
    """Its API."""

    url: str

    def get(self, path: str, **parameters: Any) -> Any:
        """The `data` of an answer; an error of Prometheus fails the test with its words."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30, trust_env=False)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        return self.get("query", query=expression)["result"]  # type: ignore[no-any-return]

    def query_range(self, expression: str, seconds: int = 60) -> list[dict[str, Any]]:
        """The series of the last seconds."""
        now = time.time()
        found = self.get("query_range", query=expression, start=now - seconds, end=now, step=5)
        return found["result"]  # type: ignore[no-any-return]


@contextlib.contextmanager
def prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Scrapes `targets` (job → URL of its metrics) every second, with the rules of the chart."""
    config = CONFIG.format(rules=", ".join(map(str, RULES)))
    for name, url in targets.items():
        target, _, path = url.removeprefix("http://").partition("/")
        config += JOB.format(name=name, path=f"/{path}", target=target)
    (folder / "prometheus.yml").write_text(config)
    (port,) = free_ports(1)
    flags = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    arguments = [f"--{flag}={value}" for flag, value in flags.items()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program("prometheus"), *arguments], stdout=log, stderr=log)
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        eventually(lambda: _is_ready(running) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield running
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(running: Prometheus) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{running.url}/-/ready", trust_env=False).status_code == 200
    return False


def eventually(is_true: Callable[[], object], seconds: float = 60.0) -> None:
    """Poll until it is true; fail after a generous bound."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not true after {seconds} seconds"
        time.sleep(0.2)


_NO_NAMES = re.compile(
    r'"(?:[^"\\]|\\.)*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)'
)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "on"}


def metric_names(expression: str) -> set[str]:
    """The metrics that a PromQL expression asks for."""
    quoted = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    return {name for name in _NAME.findall(_NO_NAMES.sub(" ", quoted)) if name not in _WORDS}


def exported_names(exposition: str) -> set[str]:
    """The series names that a text exposition declares, those without a sample included."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names.update(name + suffix for suffix in suffixes)
    return names


@dataclass(frozen=True)
class Watched:
    """A gateway and a model server with a past, and the Prometheus that knows it."""

    gateway: str
    metrics: dict[str, str]
    """Job → URL of its metrics."""
    prometheus: Prometheus
