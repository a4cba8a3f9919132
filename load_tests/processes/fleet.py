"""Model server replicas with the same share of the CPU each, and a gateway before some of them.

The replicas are started once and stay; a gateway is started for each number of replicas, so that a run with
one replica cannot profit from another. Each replica loads with a whole CPU (TensorFlow's import alone would
take a minute otherwise) and with the threads of one; only then its share is cut.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from load_tests.processes.control_groups import Group, quota
from rekindle.child import Child, Command
from rekindle.console import Console
from rekindle.loopback import HOST, free_ports
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0
STARTING_CPUS = 1.0
PRECISION = "float32"
"""As on Kubernetes where no flag asks for less: the replicas are what is measured, not who calls them."""
IMAGES = "rekindle_model_server_batch_examples_sum"
MONITORING = 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n'


class QuietConsole(Console):
    """Says what the script says, and not what the children say: that is in the error of a dead one."""

    def child_line(self, name: str, line: str) -> None:
        """Not shown."""


@dataclass(frozen=True)
class Replica:
    """One model server in its group."""

    name: str
    stack: Stack
    group: Group
    child: Child

    def images(self) -> float:
        """Images that it has answered so far."""
        url = f"http://{HOST}:{self.stack.rest_port}/monitoring/prometheus/metrics"
        text = httpx.get(url, trust_env=False, timeout=30).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == IMAGES
        )


@dataclass(frozen=True)
class Gateway:
    """A running gateway before some replicas."""

    url: str
    child: Child
    replicas: Sequence[Replica]

    @property
    def pids(self) -> dict[str, int]:
        """Name → process id of the gateway and its replicas."""
        named = {replica.name: replica.child.process.pid for replica in self.replicas}
        return {"gateway": self.child.process.pid, **named}


@dataclass
class Fleet:
    """The replicas, and what is needed to put a gateway before them."""

    supervisor: Supervisor
    replicas: Sequence[Replica]
    folder: Path

    @contextmanager
    def gateway(self, count: int, settings: dict[str, str] | None = None) -> Iterator[Gateway]:
        """A gateway before the first `count` replicas, ready; stopped at the end."""
        (port,) = free_ports(1)
        first = self.replicas[0].stack
        stack = Stack(first.models, self.folder / f"data-{port}", port, first.grpc_port, first.rest_port)
        stack.data.mkdir()
        targets = ",".join(f"{HOST}:{replica.stack.grpc_port}" for replica in self.replicas[:count])
        variables = stack.gateway_variables | {"GATEWAY_PREDICTOR__TARGETS": targets} | (settings or {})
        child = self.supervisor.start(Command("gateway", stack.gateway.arguments, variables))
        self.supervisor.wait_until(stack.gateway_is_ready, "Waiting for the gateway", START_SECONDS)
        try:
            yield Gateway(stack.url, child, self.replicas[:count])
        finally:
            self.supervisor.stop(child)


@contextmanager
def fleet(models: Path, count: int, cpus: float, console: Console) -> Iterator[Fleet]:
    """So many replicas, AVAILABLE, each limited to so many CPUs. Raises OSError, ChildFailedError."""
    with ExitStack() as rooms:
        folder = Path(rooms.enter_context(tempfile.TemporaryDirectory(prefix="rekindle-")))
        groups = [rooms.enter_context(quota(STARTING_CPUS)) for _ in range(count)]
        supervisor = rooms.enter_context(Supervisor(console))
        (folder / "monitoring.config").write_text(MONITORING)
        replicas = [_start(supervisor, models, folder, group, n) for n, group in enumerate(groups, start=1)]
        for replica in replicas:
            what = f"Waiting for {replica.name}"
            supervisor.wait_until(replica.stack.models_are_available, what, START_SECONDS)
        for group in groups:
            group.limit(cpus)
        yield Fleet(supervisor, replicas, folder)


def _start(supervisor: Supervisor, models: Path, folder: Path, group: Group, number: int) -> Replica:
    http, grpc, rest = free_ports(3)
    stack = Stack(models.resolve(), folder, http, grpc, rest, precision=PRECISION)
    if number == 1:
        supervisor.finish(stack.bootstrap)
    command = stack.model_server
    arguments = [
        *group.prefix(),
        *command.arguments,
        f"--monitoring_config_file={folder / 'monitoring.config'}",
    ]
    name = f"replica {number}"
    return Replica(name, stack, group, supervisor.start(Command(name, arguments, command.variables)))
