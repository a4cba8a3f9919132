"""Run the application on uvicorn: the socket, the signals, the order of shutting down.

On SIGTERM or SIGINT readiness fails first, the gateway goes on serving for `drain_seconds` (endpoints
need time to propagate), then it stops accepting, lets running requests end, and exits with 0.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI
from prometheus_client import start_http_server

from gateway.access.guard import is_loopback
from gateway.errors import ConfigurationError
from gateway.metrics import Metrics
from gateway.priority import yield_to_others
from gateway.settings import ServerSettings, Settings

log = logging.getLogger(__name__)

BACKLOG = 2048
_TICK_SECONDS = 0.05


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with a drain before the stop and no signal raised again after it."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain and stop. A second SIGINT: stop at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then take what lives for ever out of the garbage collector's sight."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    async def on_tick(self, counter: int) -> bool:
        """True when it is time to stop: asked to, and drained."""
        should_stop = await super().on_tick(counter)
        if should_stop:
            await self._drain()
        return should_stop

    async def _drain(self) -> None:
        log.info("shutting down", extra={"drain_seconds": self._drain_seconds})
        self._app.state.services.lifecycle.is_draining = True
        ticks = int(self._drain_seconds / _TICK_SECONDS)
        for _ in range(ticks):
            if self.force_exit:
                break
            await asyncio.sleep(_TICK_SECONDS)


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal. Raises ConfigurationError when the address cannot be used."""
    listener = listen(settings.server, is_protected=settings.access.is_protected)
    host, port = listener.getsockname()[:2]
    if settings.server.role == "control":
        yield_to_others()
    if settings.server.metrics_port is not None:
        _serve_metrics(app.state.metrics, settings.server)
    log.info("listening", extra={"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.server.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.server.shutdown_seconds) or 1,
    )
    DrainingServer(config, app, settings.server.drain_seconds).run(sockets=[listener])


def _serve_metrics(metrics: Metrics, settings: ServerSettings) -> None:
    """On a thread and a port of their own, which ends with the process."""
    try:
        server, _ = start_http_server(settings.metrics_port or 0, settings.host, metrics.registry)
    except OSError as error:
        raise ConfigurationError(
            f"cannot serve metrics on {settings.host}:{settings.metrics_port}: {error.strerror or error}; "
            "choose another port by GATEWAY_SERVER__METRICS_PORT"
        ) from error
    log.info("metrics", extra={"url": f"http://{settings.host}:{server.server_port}/metrics"})


def listen(settings: ServerSettings, *, is_protected: bool = False) -> socket.socket:
    """A listening socket, or ConfigurationError in one sentence with the way out."""
    host, port = settings.host, settings.port
    if not is_protected and not settings.allow_unprotected and not is_loopback(host):
        raise ConfigurationError(
            f"GATEWAY_SERVER__HOST={host} would let anyone on the network use this gateway, which has no "
            "tokens; set GATEWAY_ACCESS__TOKENS_FILE (`python -m gateway token NAME ROLE` makes a token), "
            "listen on 127.0.0.1, or set GATEWAY_SERVER__ALLOW_UNPROTECTED=true"
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            "stop what uses the port, or choose another by GATEWAY_SERVER__PORT"
        ) from error
