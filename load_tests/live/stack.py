"""The stack with a proxy before the model server, on a store with several equal versions."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from contract.card import ModelCard
from contract.layout import ModelPaths, write_atomically
from contract.rollout import Rollout
from rekindle.child import Command
from rekindle.console import Console
from rekindle.loopback import free_ports
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0
NOT_SERVED = shutil.ignore_patterns("model.h5", "model.keras", "plots", "*_reference_requests")


@dataclass(frozen=True)
class LiveStack:
    """A started stack."""

    url: str
    model: str
    card: ModelCard
    faults: Path

    def set_faults(self, faults: Mapping[int, Mapping[str, float]]) -> None:
        """What is wrong with which version from now on."""
        text = json.dumps({str(version): dict(fault) for version, fault in faults.items()})
        write_atomically(self.faults, text.encode())


def copies_of(source: ModelPaths, store: Path, versions: int, card: ModelCard) -> None:
    """A store with versions 1 to `versions`, all of them the newest of `source`; stable is 1."""
    target = ModelPaths(store, source.version(1).parent.name)
    newest = source.version(source.versions()[-1])
    for version in range(1, versions + 1):
        shutil.copytree(newest, target.version(version), ignore=NOT_SERVED)
        target.card(version).write_bytes(card.to_json())
    rollout = Rollout(model=card.model, policy="gated", stable=1)
    write_atomically(target.rollout, rollout.to_json())


@contextmanager
def live_stack(
    models: Path, model: str, versions: int, variables: Mapping[str, str], card: ModelCard | None = None
) -> Iterator[LiveStack]:
    """Start model server, proxy and gateway; stop them at the end. `card`: instead of the newest's own."""
    source = ModelPaths(models, model)
    newest = source.versions()[-1]
    card = card or ModelCard.model_validate_json(source.card(newest).read_bytes())
    with TemporaryDirectory(prefix="rekindle-") as folder, Supervisor(Console()) as supervisor:
        store, data, faults = Path(folder, "models"), Path(folder, "data"), Path(folder, "faults.json")
        data.mkdir()
        faults.write_text("{}")
        copies_of(source, store, versions, card)
        http, grpc, rest, proxy = free_ports(4)
        stack = Stack(store, data, http, grpc, rest)
        supervisor.finish(stack.bootstrap)
        supervisor.start(stack.model_server)
        arguments = [sys.executable, "-m", "load_tests.live.proxy", str(proxy), f"127.0.0.1:{grpc}"]
        supervisor.start(Command("proxy", [*arguments, str(faults)]))
        through = {"GATEWAY_PREDICTOR__TARGETS": f"127.0.0.1:{proxy}"}
        all_variables = stack.gateway_variables | through | dict(variables)
        supervisor.start(Command("gateway", stack.gateway.arguments, all_variables))
        supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
        supervisor.wait_until(stack.gateway_is_ready, "Waiting for the gateway", START_SECONDS)
        yield LiveStack(stack.url, model, card, faults)
