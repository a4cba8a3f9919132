"""As much of the Kubernetes API as the launcher uses, over HTTP: one CronJob, Jobs, pods and their logs."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "lab"
UID = "5bd6f3a0-0000-4000-8000-000000000001"
BATCH, CORE = f"/apis/batch/v1/namespaces/{NAMESPACE}", f"/api/v1/namespaces/{NAMESPACE}"
TEMPLATE = {
    "metadata": {"labels": {"app": "rekindle"}, "annotations": {"note": "kept"}},
    "spec": {
        "backoffLimit": 0,
        "activeDeadlineSeconds": 3600,
        "template": {
            "metadata": {"labels": {"app": "rekindle"}},
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {"name": "sidecar", "image": "sidecar:1"},
                    {"name": "trainer", "image": "trainer:1", "args": ["--help"]},
                ],
            },
        },
    },
}


class FakeKubernetes:
    """Listens on loopback. `jobs` and `logs` are what a cluster would hold."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.deleted: list[tuple[str, dict[str, list[str]]]] = []
        self.logs: dict[str, bytes] = {}
        """By run."""
        self.fault: int | None = None
        """Every call is answered with this status."""
        self.events: list[dict[str, Any]] = []
        """Warnings about any Job."""
        self.waiting: dict[str, str] | None = None
        """Why the container of every pod waits."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                parts = urlsplit(self.path)
                status, answer = fake.answer(self.command, parts.path, parse_qs(parts.query), body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                kind = "text/plain" if isinstance(answer, bytes) else "application/json"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig for it."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": url}}],
            "users": [{"name": "fake", "user": {"token": "secret"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(content))
        return path

    def ended(self, name: str, kind: str, reason: str) -> None:
        """Give a Job its condition."""
        condition = {"type": kind, "status": "True", "reason": reason, "message": "so it is"}
        self.jobs[name]["status"] = {"conditions": [condition]}

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, dict[str, Any] | bytes]:
        """Status and content."""
        if self.fault:
            return _status(self.fault, "out of order")
        if (method, path) == ("GET", f"{BATCH}/cronjobs/trainer"):
            return 200, {"metadata": {"name": "trainer", "uid": UID}, "spec": _cron_job_spec()}
        if (method, path) == ("POST", f"{BATCH}/jobs"):
            if body["metadata"]["name"] in self.jobs:
                return _status(409, "AlreadyExists")
            self.jobs[body["metadata"]["name"]] = body | {"status": {"active": 1}}
            return 201, body
        name = path.rpartition("/")[2]
        if path == f"{BATCH}/jobs/{name}" and name in self.jobs:
            return self._one_job(method, name, query)
        return self._of_pods(path, query)

    def _one_job(self, method: str, name: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if method == "DELETE":
            self.deleted.append((name, query))
            del self.jobs[name]
            return 200, {"kind": "Status", "status": "Success"}
        return 200, self.jobs[name]

    def _of_pods(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any] | bytes]:
        if path == f"{CORE}/pods":
            run = query["labelSelector"][0].partition("=")[2]
            pods = [_pod(run, 1), _pod(run, 2)] if run in self.logs or self.waiting else []
            if self.waiting:
                pods[-1]["status"] = {"containerStatuses": [_waiting_container(self.waiting)]}
            return 200, {"items": pods}
        if path == f"{CORE}/events":
            return 200, {"items": self.events}
        if path.endswith("/log"):
            run = path.split("/")[-2].removeprefix("pod-").removesuffix("-2")
            assert query["container"] == ["trainer"]
            return 200, self.logs[run][: int(query["limitBytes"][0])]
        return _status(404, "NotFound")


def _cron_job_spec() -> dict[str, Any]:
    return {"schedule": "0 0 30 2 *", "suspend": True, "jobTemplate": TEMPLATE}


def _pod(run: str, number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"pod-{run}-{number}", "creationTimestamp": f"2026-01-0{number}T00:00:00Z"},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "trainer"}]},
    }


def _waiting_container(waiting: dict[str, str]) -> dict[str, Any]:
    known = {"name": "trainer", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    return known | {"state": {"waiting": waiting}}


def _status(code: int, reason: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": reason}
