"""A gateway's answers from a thread, right ones or the wrong ones that a test asks for."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = dict[str, Any]
MODEL = "shades"


@dataclass
class LyingGateway:
    """Where it listens; what it was asked; how it spoils its answers."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    spoil: Callable[[Answer, int], Answer] = lambda answer, number: answer
    """(right answer, how many predictions were asked for so far) → the answer."""
    status: int = 200


def right_answer(names: list[str | None]) -> Answer:
    """To a request with these files."""
    ranked = [{"label": "dark", "score": 0.9}, {"label": "light", "score": 0.1}]
    predictions = [{"id": uuid.uuid4().hex, "filename": name, "classifications": ranked} for name in names]
    return {"model": MODEL, "version": 1, "predictions": predictions, "timing_ms": {}}


ROW = {
    "id": "0" * 32,
    "at": "2026-01-01T00:00:00Z",
    "model": MODEL,
    "classifications": [{"label": "dark", "score": 0.9}],
    "feedback": None,
}


@contextmanager
def lying_gateway() -> Iterator[LyingGateway]:
    """Serve until the context ends."""
    gateway = LyingGateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            gateway.asked["history"] += 1
            self._send(200, {"predictions": [ROW], "next_cursor": None})

        def do_PUT(self) -> None:
            given = json.loads(self._body())
            gateway.asked["feedback"] += 1
            self._send(200, ROW | {"feedback": given["label"]})

        def do_POST(self) -> None:
            body, kind = self._body(), self.headers["Content-Type"]
            is_form = kind.startswith("multipart/")
            gateway.asked["form" if is_form else "raw"] += 1
            names = _names(body, kind) if is_form else [None]
            answer = gateway.spoil(right_answer(names), gateway.asked["form"] + gateway.asked["raw"])
            self._send(gateway.status, answer)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _send(self, status: int, content: Answer) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):  # Locust leaves in the middle of an answer
                super().handle_one_request()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()


def _names(body: bytes, kind: str) -> list[str | None]:
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    return [part.get_filename() for part in message.get_payload()]  # type: ignore[union-attr]
