"""SIGTERM under load: what was accepted is answered, and the process ends in time."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import httpx
import pytest
from model_servers import eventually, image_request

from load_tests.model_server.child import Crowd, child

pytestmark = pytest.mark.tensorflow

GRACE_SECONDS = 30.0
"""What Kubernetes grants by default."""


class RestClients:
    """Clients of REST, each with a connection of its own."""

    def __init__(self, port: int, count: int) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._url = f"http://127.0.0.1:{port}/v1/models/tiny:predict"
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self) -> None:
        body = {"signature_name": "echo", "instances": ["a"]}
        with httpx.Client(timeout=60) as client:
            while True:
                try:
                    reply = client.post(self._url, json=body)
                except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
                    return  # nobody listens, or an idle connection was closed before the server read from it
                with self._lock:
                    if reply.status_code == 200:
                        self.answered += 1
                    else:
                        self.failures.append(reply.text)


def test_sigterm_under_load_loses_no_accepted_request(exports: Path, tmp_path: Path) -> None:
    """Every request that the server counts as answered has reached its caller, and none is left over.

    A call that comes too late is refused before a handler sees it: UNAVAILABLE where nobody listens any more,
    CANCELLED where gRPC's core still held it when it shut down. The server's own count of answers, which it
    logs last, equals what the callers received.
    """
    log = tmp_path / "server.log"
    with child("--model_name=tiny", f"--model_base_path={exports}", log=log) as server:
        contents = [image_request(images=1 + number % 4).SerializeToString() for number in range(8)]
        crowd = Crowd(server.address, contents, clients=16)
        crowd.start()
        rest = RestClients(server.rest_port, count=4)
        eventually(lambda: crowd.answered > 200 and rest.answered > 20)
        status, seconds = server.terminate()
        crowd.stop()
        for thread in rest.threads:
            thread.join()
    assert status == 0
    assert seconds < GRACE_SECONDS
    assert {failure.partition(":")[0] for failure in crowd.failures} <= {"UNAVAILABLE", "CANCELLED"}
    assert rest.failures == []
    last = log.read_text().splitlines()[-1]
    found = re.search(r"stopped answered=(\d+) in_flight=(\d+)", last)
    assert found is not None, last
    assert (int(found[1]), int(found[2])) == (crowd.answered + rest.answered, 0)
