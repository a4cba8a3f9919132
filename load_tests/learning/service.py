"""The stack of `make run` on the stores of one measurement."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

from load_tests.learning.stores import Stores
from load_tests.processes.stack import RunningStack, running
from rekindle.answers.training import Run
from rekindle.client import Client
from rekindle.loopback import free_ports
from rekindle.topology import Stack


@dataclass(frozen=True)
class _Learning(Stack):
    """With the runs beside the other stores."""

    @property
    def gateway_variables(self) -> dict[str, str]:
        """The gateway's settings."""
        return {**super().gateway_variables, "GATEWAY_STORES__RUNS": str(self.data.parent / "runs")}


def in_service(stores: Stores) -> AbstractContextManager[RunningStack]:
    """Model server and gateway on those stores, on free ports."""
    http, grpc, rest = free_ports(3)
    stack = _Learning(
        models=stores.versions.store.resolve(),
        data=stores.data.parent.resolve(),
        http_port=http,
        grpc_port=grpc,
        rest_port=rest,
    )
    return running(stack)


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
