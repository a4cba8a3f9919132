"""The life of a server: ports are checked first, opened when the models are loaded, drained at the end."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from model_server.fronts import grpc_api
from model_server.fronts.asgi import Application
from model_server.fronts.grpc_api import GrpcApi

log = logging.getLogger(__name__)

Stop = Callable[[], bool]
"""Whether the process was asked to stop."""

DRAIN_SECONDS = 25.0
"""Running calls may take this long after a signal; below the 30 s that Kubernetes grants by default."""


class PortError(Exception):
    """A port cannot be had; the message says which and what to do."""


@dataclass(frozen=True)
class Endpoint:
    """An address and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        """As URLs and gRPC write it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def bind(self) -> socket.socket:
        """A bound socket that does not listen yet. Raises PortError."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self.address, self.port))
        except OSError as error:
            bound.close()
            raise PortError(_cannot_listen(self, error.strerror or str(error))) from error
        return bound


def check_free(endpoint: Endpoint) -> None:
    """Say at once that a port is taken, and not after the models have loaded. Raises PortError."""
    endpoint.bind().close()


def _cannot_listen(endpoint: Endpoint, reason: str) -> str:
    return (
        f"cannot listen on {endpoint}: {reason.lower()}; "
        "stop what uses the port, or choose another by --port or --rest_api_port"
    )


class GrpcFront:
    """The gRPC server on its port."""

    def __init__(self, api: GrpcApi, endpoint: Endpoint, threads: int) -> None:
        """Start answering. Raises PortError."""
        try:
            self._server = grpc_api.serve(api, str(endpoint), threads)
        except RuntimeError as error:
            raise PortError(_cannot_listen(endpoint, "the address is in use or not ours")) from error
        log.info("gRPC is served", extra={"address": endpoint})

    def drain(self, seconds: float) -> Callable[[], None]:
        """Accept no new call; returns a function that waits until the running ones have ended."""
        ended = self._server.stop(seconds)

        def wait() -> None:
            ended.wait(seconds + 1)

        return wait


class RestFront:
    """The HTTP server on its port, in a thread with an event loop of its own."""

    def __init__(self, application: Application, endpoint: Endpoint) -> None:
        """Start answering. Raises PortError."""
        bound = endpoint.bind()
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=int(DRAIN_SECONDS),
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [bound]}, name="rest", daemon=True
        )
        self._thread.start()
        _wait_for(lambda: self._server.started or not self._thread.is_alive())
        log.info("REST is served", extra={"address": endpoint})

    def drain(self, seconds: float) -> Callable[[], None]:
        """Accept no new connection; returns a function that waits until the running requests have ended."""
        self._server.config.timeout_graceful_shutdown = max(1, int(seconds))
        self._server.should_exit = True
        return lambda: self._thread.join(seconds + 1)


def drain(fronts: list[GrpcFront | RestFront], seconds: float = DRAIN_SECONDS) -> None:
    """Let the running calls of all fronts end, at the same time, but not for ever."""
    for wait in [front.drain(seconds) for front in fronts]:
        wait()


def _wait_for(is_true: Callable[[], bool]) -> None:
    while not is_true():
        time.sleep(0.01)
