"""Where the fronts listen: addresses and ports, checked before the models load."""

from __future__ import annotations

import socket
from dataclasses import dataclass


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
            raise cannot_listen(str(self), error.strerror or str(error)) from error
        return bound

    def check_free(self) -> None:
        """Say at once that the port is taken, and not after the models have loaded. Raises PortError."""
        self.bind().close()


def cannot_listen(where: str, reason: str) -> PortError:
    """The error that says where, why and what to do."""
    return PortError(
        f"cannot listen on {where}: {reason.lower()}; stop what uses it, "
        "or choose another by --port, --rest_api_port or --grpc_socket_path"
    )
