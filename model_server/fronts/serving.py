"""The life of a server: ports are checked first, opened when the models are loaded, drained at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import uvicorn

from model_server.fronts import grpc_server
from model_server.fronts.asgi import Application
from model_server.fronts.endpoints import Endpoint, cannot_listen
from model_server.fronts.grpc_api import GrpcApi
from model_server.fronts.grpc_server import GrpcSettings
from model_server.fronts.health import Health

log = logging.getLogger(__name__)

Stop = Callable[[], bool]
"""Whether the process was asked to stop."""

DRAIN_SECONDS = 25.0
"""Running calls may take this long after a signal; below the 30 s that Kubernetes grants by default."""


class GrpcFront:
    """The gRPC server on its port and its socket."""

    def __init__(self, api: GrpcApi, settings: GrpcSettings, health: Health | None) -> None:
        """Start answering. Raises PortError."""
        self._health = health
        where = ", ".join(settings.addresses)
        try:
            self._server = grpc_server.serve(api, settings, health)
        except RuntimeError as error:
            raise cannot_listen(where, "the address is in use or not ours") from error
        log.info("gRPC is served", extra={"address": where, "tls": settings.credentials is not None})

    def drain(self, seconds: float) -> Callable[[], None]:
        """Accept no new call; returns a function that waits until the running ones have ended."""
        if self._health is not None:
            self._health.stop()
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
