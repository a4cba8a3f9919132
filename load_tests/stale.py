"""A version published on a volume whose readers see it late: `python -m load_tests.stale --seconds 30`.

NFS clients, and the drivers of many shared volumes, answer from attributes that they read up to half a
minute ago. Here model server and gateway each see the model store through a FUSE mount of their own that
keeps names (also those that were not there), sizes and times for so long; a version is published below the
mounts while clients predict and ask for `/v1/models`. Linux, as root, with bindfs (Debian's package).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from contract.layout import ModelPaths
from load_tests.processes.stack import START_SECONDS
from load_tests.swap import Tally, predict_until, publish_again
from rekindle.child import Command
from rekindle.client import Client
from rekindle.console import Console
from rekindle.errors import RekindleError
from rekindle.loopback import free_ports
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

CACHES = ("entry_timeout", "negative_timeout", "attr_timeout")


@contextmanager
def stale_view(store: Path, place: Path, seconds: float) -> Iterator[Path]:
    """Mount `store` at `place`, with a memory of that many seconds."""
    place.mkdir()
    kept = ",".join(f"{cache}={seconds}" for cache in CACHES)
    subprocess.run(["bindfs", "-o", kept, str(store), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@dataclass
class Listings:
    """Answers of `/v1/models` and of the list of versions."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    first_seen: dict[int, float] = field(default_factory=dict)
    """Version → time.monotonic() of the first list that names it."""

    def ask_until(self, stopped: threading.Event, url: str, model: str) -> None:
        """At most ten times a second."""
        with Client(url, attempts=1) as client:
            while not stopped.wait(0.1):
                try:
                    client.models()
                    for found in client.versions(model):
                        self.first_seen.setdefault(found.version, time.monotonic())
                    self.answered += 1
                except RekindleError as error:
                    self.failures.append(str(error))


def at_server(command: Command, place: Path) -> Command:
    """The same gateway, told where the model server sees the store."""
    variables = {**command.variables, "GATEWAY_STORES__MODELS_AT_SERVER": str(place)}
    return replace(command, variables=variables)


@contextmanager
def running(gateway_view: Path, server_view: Path, data: Path) -> Iterator[str]:
    """Gateway and model server, each with its own view of the store; the gateway's address."""
    ports = free_ports(3)
    ours, servers = Stack(gateway_view, data, *ports), Stack(server_view, data, *ports)
    with Supervisor(Console()) as supervisor:
        supervisor.finish(at_server(ours.bootstrap, server_view))
        supervisor.start(servers.model_server)
        supervisor.start(at_server(ours.gateway, server_view))
        supervisor.wait_until(servers.models_are_available, "Waiting for the model server", START_SECONDS)
        supervisor.wait_until(ours.gateway_is_ready, "Waiting for the gateway", START_SECONDS)
        yield ours.url


def main() -> int:
    """Measure and print; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/ship.jpg"))
    parser.add_argument("--seconds", type=float, default=30, help="how old what readers see may be")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    if shutil.which("bindfs") is None:
        parser.error("bindfs is not here; Debian and Ubuntu have it as a package of that name")
    source = ModelPaths(options.models, options.model)
    newest = source.version(source.versions()[-1])
    tally, listings, stopped = Tally(), Listings(), threading.Event()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rekindle-stale-")))
        paths = ModelPaths(folder / "store", options.model)
        shutil.copytree(newest, paths.version(1))
        gateways = stack.enter_context(stale_view(paths.store, folder / "gateway", options.seconds))
        servers = stack.enter_context(stale_view(paths.store, folder / "server", options.seconds))
        url = stack.enter_context(running(gateways, servers, folder / "data"))
        asking = (stopped, url, options.model)
        predicting = (*asking, options.picture.read_bytes(), tally)
        threads = [threading.Thread(target=listings.ask_until, args=asking)]
        threads += [threading.Thread(target=predict_until, args=predicting) for _ in range(options.clients)]
        for thread in threads:
            thread.start()
        try:
            published = time.monotonic()
            seconds = publish_again(newest, paths, 1, tally, patience=4 * options.seconds + 60)
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
    failures = tally.failures + listings.failures
    print(f"attributes, names and absent names are kept for {options.seconds:.0f} s by each reader")
    print(f"predictions          {dict(sorted(tally.versions.items()))} by version")
    print(f"lists of versions    {listings.answered}")
    print(f"failed requests      {len(failures)} {failures[:3] or ''}")
    print(f"version 2 is listed  {listings.first_seen[2] - published:.1f} s after it was begun")
    print(f"version 2 answers    {seconds:.1f} s after its publication")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
