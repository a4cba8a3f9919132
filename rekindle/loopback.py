"""The loopback address: which ports are free, and whether something answers there."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing

import httpx

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """True when nobody listens on the port."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago; all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]


def get(url: str) -> httpx.Response | None:
    """The answer, if there is one and it is a success."""
    try:
        # trust_env=False: a proxy that is configured for the internet must not be asked for 127.0.0.1.
        answer = httpx.get(url, timeout=2.0, trust_env=False)
    except httpx.TransportError:
        return None
    return answer if answer.is_success else None
