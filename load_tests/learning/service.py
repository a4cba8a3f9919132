"""The stack of `make run` on the stores of one measurement."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from load_tests.learning.stores import Stores
from load_tests.processes.stack import START_SECONDS, RunningStack
from rekindle.answers.training import Run
from rekindle.client import Client
from rekindle.console import Console
from rekindle.loopback import free_ports
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack


@dataclass(frozen=True)
class _Learning(Stack):
    """With the runs beside the other stores."""

    @property
    def gateway_variables(self) -> dict[str, str]:
        """The gateway's settings."""
        return {**super().gateway_variables, "GATEWAY_STORES__RUNS": str(self.data.parent / "runs")}


@contextmanager
def in_service(stores: Stores) -> Iterator[RunningStack]:
    """Start model server and gateway, wait until they answer, stop them at the end."""
    http, grpc, rest = free_ports(3)
    stack = _Learning(
        models=stores.versions.store.resolve(),
        data=stores.data.parent.resolve(),
        http_port=http,
        grpc_port=grpc,
        rest_port=rest,
    )
    with Supervisor(Console()) as supervisor:
        supervisor.finish(stack.bootstrap)
        model_server = supervisor.start(stack.model_server)
        gateway = supervisor.start(stack.gateway)
        supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
        supervisor.wait_until(stack.gateway_is_ready, "Waiting for the gateway", START_SECONDS)
        with Client(stack.url) as client:
            yield RunningStack(stack.url, gateway.process.pid, model_server.process.pid, client)


def correct(client: Client, model: str, label: str, content: bytes) -> None:
    """Ask about a picture, and say what it shows: how a person corrects the model."""
    answer = client.predict(model, [content], store=True)
    client.give_feedback(answer.predictions[0].id, label)


def finished(client: Client, run: Run, patience_seconds: float = 1800) -> Run:
    """Wait for the end of a run. Raises TimeoutError."""
    deadline = time.monotonic() + patience_seconds
    while not run.is_final:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the run {run.id} is {run.state} after {patience_seconds:.0f} s")
        time.sleep(0.5)
        run = client.run(run.id)
    return run
