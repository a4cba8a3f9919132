"""Names to addresses: which model server replicas there are now.

A target is `host:port`; a name that resolves to several addresses (a headless Service) stands for
several replicas. gRPC's own resolver would hide them behind one channel and look again at most every
30 s. Whether a replica is well is gateway.serving.replica's business.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Sequence

log = logging.getLogger(__name__)


class Discovery:
    """Resolves the targets; an unresolvable name keeps its last known addresses."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._targets = targets
        self._known: dict[str, frozenset[str]] = {}
        self._unresolved: set[str] = set()

    async def __call__(self) -> frozenset[str]:
        """The addresses, `ip:port` or `[ipv6]:port`, of all targets."""
        found = await asyncio.gather(*(self._resolve(target) for target in self._targets))
        return frozenset().union(*found)

    async def _resolve(self, target: str) -> frozenset[str]:
        host, _, port = target.rpartition(":")
        if _is_address(host.strip("[]")):
            return frozenset({target})
        try:
            addresses = await _look_up(host, int(port))
        except OSError as error:
            if target not in self._unresolved:
                log.warning("name does not resolve", extra={"target": target, "reason": str(error)})
                self._unresolved.add(target)
            return self._known.get(target, frozenset())
        self._unresolved.discard(target)
        self._known[target] = addresses
        return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _look_up(name: str, port: int) -> frozenset[str]:
    """IPv4 where there is any: a dual-stack name gives two addresses for one and the same replica."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    version_4 = {f"{address[0]}:{port}" for family, _, _, _, address in answers if family == socket.AF_INET}
    version_6 = {
        f"[{address[0]}]:{port}" for family, _, _, _, address in answers if family == socket.AF_INET6
    }
    return frozenset(version_4 or version_6)
