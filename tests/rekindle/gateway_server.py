"""A local HTTP server that answers as the gateway does: real sockets, canned answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Respond = Callable[[str, str, list[tuple[str, bytes]]], tuple[int, Any]]
"""(method, path with query, parts as (file name, content)) → (status, JSON or bytes)."""


@dataclass
class GatewayServer:
    """Where it listens, and what it was asked."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def gateway_server(respond: Respond) -> Iterator[GatewayServer]:
    """Serve until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer([])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            message = message_from_bytes(head + body)
            parts = message.get_payload() if message.is_multipart() else []
            self._answer([(part.get_filename(), part.get_payload(decode=True)) for part in parts])

        def _answer(self, parts: list[tuple[str, bytes]]) -> None:
            server.requests.append((self.command, self.path))
            status, content = respond(self.command, self.path, parts)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server = GatewayServer(f"http://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def prediction(name: str, *best: tuple[str, float]) -> dict[str, Any]:
    """One picture of an answer."""
    return {
        "id": f"id-{name}",
        "filename": name,
        "classifications": [{"label": label, "score": score} for label, score in best],
    }


def failure(name: str, code: str = "not_a_picture", status: int = 400) -> dict[str, Any]:
    """A picture that failed."""
    return {**prediction(name), "error": problem(code, status)}


def problem(code: str, status: int) -> dict[str, Any]:
    """A problem document."""
    title = code.replace("_", " ").capitalize()
    return {
        "type": f"/errors/{code}",
        "title": title,
        "status": status,
        "detail": "what arrived, and the way out",
        "instance": "/v1",
        "code": code,
        "request_id": "request-1",
    }


def predictions(*items: dict[str, Any], version: int = 3) -> dict[str, Any]:
    """A whole answer; with a field that this client does not know."""
    timing = {"decode": 0.1, "queue": 0.0, "predict": 2.0, "total": 2.5}
    return {"model": "pets", "version": version, "predictions": list(items), "timing_ms": timing, "new": True}
