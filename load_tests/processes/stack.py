"""The stack of `make run` on free ports, for scripts that measure it from outside."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rekindle.client import Client
from rekindle.console import Console
from rekindle.loopback import free_ports
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0


@dataclass(frozen=True)
class RunningStack:
    """A started stack."""

    url: str
    gateway_pid: int
    model_server_pid: int
    client: Client


@contextmanager
def running_stack(models: Path) -> Iterator[RunningStack]:
    """Model server and gateway on a model store, on free ports."""
    http, grpc, rest = free_ports(3)
    with (
        tempfile.TemporaryDirectory(prefix="rekindle-") as data,
        running(Stack(models.resolve(), Path(data), http, grpc, rest)) as stack,
    ):
        yield stack


@contextmanager
def running(stack: Stack) -> Iterator[RunningStack]:
    """Start model server and gateway, wait until they answer, stop them at the end."""
    with Supervisor(Console()) as supervisor:
        supervisor.finish(stack.bootstrap)
        model_server = supervisor.start(stack.model_server)
        gateway = supervisor.start(stack.gateway)
        supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
        supervisor.wait_until(stack.gateway_is_ready, "Waiting for the gateway", START_SECONDS)
        with Client(stack.url) as client:
            yield RunningStack(stack.url, gateway.process.pid, model_server.process.pid, client)
