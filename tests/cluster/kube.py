"""A namespace on the cluster that KUBECONFIG names, by kubectl and Helm, and the gateways in it.

The API of the gateways is reached through the API server's own proxy, so that the tests run against any
cluster from anywhere; load comes from a pod inside.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "rekindle"
ARTEFACTS = Path(os.environ.get("REKINDLE_E2E_ARTEFACTS", ROOT / "build" / "e2e"))

Json = dict[str, Any]


def run(
    *command: str,
    given: str | None = None,
    check: bool = True,
    timeout: float = 600,
    environment: Mapping[str, str] | None = None,
) -> str:
    """The output of a command; a failure quotes what it said."""
    ran = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )
    if check and ran.returncode:
        said = f"{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        raise AssertionError(f"{' '.join(command)[:300]}: {ran.returncode}\n{said}")
    return ran.stdout if check else ran.stdout + ran.stderr


def figure(line: str, text: str) -> None:
    """A figure of the report: printed, and kept among the artefacts."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with (ARTEFACTS / "figures.txt").open("a") as file:
        file.write(f"[{line}] {text}\n")
    print(f"\n[{line}] {text}", flush=True)


def eventually(what: str, seconds: float, condition: Callable[[], Any], pause: float = 0.5) -> Any:
    """The first true answer of the condition; fails after `seconds` with what was waited for."""
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


class Namespace:
    """One namespace that enforces Pod Security `restricted`, and the release in it."""

    def __init__(self, name: str, proxy: str) -> None:
        self.name = name
        self.release = "rekindle"
        self._http = httpx.Client(base_url=f"{proxy}/api/v1/namespaces/{name}", timeout=60, trust_env=False)

    def create(self) -> None:
        """Make it anew."""
        self.delete()
        level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": level}}
        run("kubectl", "apply", "-f", "-", given=json.dumps(manifest))

    def delete(self) -> None:
        """With the release; its claims' volumes are made available again where they are kept."""
        run("helm", "uninstall", self.release, "-n", self.name, "--wait", "--timeout=3m", check=False)
        run("kubectl", "delete", "namespace", self.name, "--ignore-not-found", "--timeout=180s", check=False)
        free_volumes()

    def close(self) -> None:
        """The connection to the API."""
        self._http.close()

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """kubectl in this namespace."""
        return run("kubectl", "-n", self.name, *arguments, given=given, check=check)

    def get(self, *what: str) -> Json:
        """`kubectl get … -o json`."""
        found: Json = json.loads(self.kubectl("get", *what, "-o", "json"))
        return found

    def helm(self, verb: str, values: Mapping[str, Any], *more: str, check: bool = True) -> str:
        """`helm install` or `upgrade` of the chart with these values."""
        command = ["helm", verb, self.release, str(CHART), "-n", self.name, "--values", "-", *more]
        return run(*command, given=json.dumps(values), check=check)

    def everything(self, component: str) -> list[Json]:
        """The pods of a component."""
        found: list[Json] = self.get("pods", "-l", f"app.kubernetes.io/component={component}")["items"]
        return found

    def pods(self, component: str) -> list[Json]:
        """Those that are not about to leave."""
        return [pod for pod in self.everything(component) if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str) -> list[Json]:
        """Those of them that are Ready."""
        return [pod for pod in self.pods(component) if since(pod, "Ready")]

    def call(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        """One call to a Service of the release, through the API server."""
        return self._http.request(
            method, f"/services/http:{self.release}-{service}:80/proxy{path}", **options
        )

    def api(self, method: str, path: str, **options: Any) -> Json:
        """One call to the gateways of the role control that must succeed."""
        answer = self.call(method, "control", path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json() if answer.content else {}

    def of_pod(self, pod: str, port: int, path: str) -> str:
        """A page of one pod."""
        return self._http.get(f"/pods/http:{pod}:{port}/proxy{path}").text

    def query(self, expression: str) -> dict[str, float]:
        """An instant query of the release's Prometheus: values by `pod`, `replica` or the empty name."""
        path = f"/services/http:{self.release}-prometheus:9090/proxy/api/v1/query"
        answer = self._http.get(path, params={"query": expression}).json()
        assert answer.get("status") == "success", answer
        found = answer["data"]["result"]
        return {next(iter(one["metric"].values()), ""): float(one["value"][1]) for one in found}

    def keep(self, why: str) -> Path:
        """Events, objects and logs, for whoever looks into a failure."""
        folder = ARTEFACTS / f"{self.name}-{why}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "events.txt").write_text(
            self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)
        )
        (folder / "objects.txt").write_text(self.kubectl("get", "all,pvc,hpa", "-o", "wide", check=False))
        (folder / "describe.txt").write_text(self.kubectl("describe", "pods", check=False))
        for name in self.kubectl("get", "pods", "-o", "name", check=False).split():
            log = self.kubectl("logs", name, "--all-containers", "--prefix", "--tail=2000", check=False)
            (folder / f"{name.replace('/', '-')}.log").write_text(log)
        return folder


def since(pod: Json, condition: str) -> str:
    """When a condition of a pod became true; empty while it is not."""
    for each in pod["status"].get("conditions", []):
        if each["type"] == condition and each["status"] == "True":
            return str(each["lastTransitionTime"])
    return ""


def free_volumes() -> None:
    """Volumes whose claim is gone are taken by nobody until their reference to it is taken away."""
    for volume in json.loads(run("kubectl", "get", "pv", "-o", "json"))["items"]:
        if volume["status"].get("phase") == "Released" and "hostPath" in volume["spec"]:
            patch = '[{"op": "remove", "path": "/spec/claimRef"}]'
            run("kubectl", "patch", "pv", volume["metadata"]["name"], "--type=json", "-p", patch, check=False)


@contextmanager
def api_proxy() -> Iterator[str]:
    """`kubectl proxy` on a free port of loopback; its URL."""
    command = ["kubectl", "proxy", "--port=0", "--reject-paths=^$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield "http://" + process.stdout.readline().split()[-1]
        finally:
            process.terminate()
