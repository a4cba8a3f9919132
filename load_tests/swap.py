"""A version published under load: `python -m load_tests.swap --models models --model cifar10`.

Copies the model's newest version into a store of its own, lets clients predict without a pause, publishes
the same version again under the next number, and prints how many requests failed and how long it took
until an answer named the new one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from contract.layout import ModelPaths, publish
from load_tests.processes.stack import running_stack
from rekindle.client import Client
from rekindle.errors import RekindleError


@dataclass
class Tally:
    """What the clients saw."""

    versions: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    first_seen: dict[int, float] = field(default_factory=dict)
    """Version → time.monotonic() of the first answer that names it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, version: int) -> None:
        """An answer has come."""
        with self.lock:
            moment = time.monotonic()
            self.versions[version] += 1
            self.first_seen.setdefault(version, moment)

    def note_failure(self, reason: str) -> None:
        """No answer has come."""
        with self.lock:
            self.failures.append(reason)


def predict_until(stopped: threading.Event, url: str, model: str, picture: bytes, tally: Tally) -> None:
    """One client: request after request on one connection."""
    with Client(url, attempts=1) as client:
        while not stopped.is_set():
            try:
                tally.note(client.predict(model, [picture]).version)
            except RekindleError as error:
                tally.note_failure(str(error))


def main() -> int:
    """Measure and print; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/ship.jpg"))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--swaps", type=int, default=3)
    options = parser.parse_args()
    source = ModelPaths(options.models, options.model)
    newest = source.version(source.versions()[-1])
    tally, stopped = Tally(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        paths = ModelPaths(Path(folder), options.model)
        shutil.copytree(newest, paths.version(1))
        with running_stack(paths.store) as stack:
            arguments = (stopped, stack.url, options.model, options.picture.read_bytes(), tally)
            clients = [threading.Thread(target=predict_until, args=arguments) for _ in range(options.clients)]
            for client in clients:
                client.start()
            try:
                seconds = [publish_again(newest, paths, number, tally) for number in range(options.swaps)]
            finally:
                stopped.set()
                for client in clients:
                    client.join()
    print(f"answers by version   {dict(sorted(tally.versions.items()))} to {options.clients} clients")
    print(f"failed requests      {len(tally.failures)} {tally.failures[:3] or ''}")
    print(f"seconds from publication to the first answer that names it: {[round(s, 2) for s in seconds]}")
    return 1 if tally.failures else 0


def publish_again(
    version: Path, paths: ModelPaths, number: int, tally: Tally, patience: float = 60.0
) -> float:
    """Publish once more, wait for the first answer of the new version and two seconds of its service."""
    time.sleep(2)
    new = publish(version, paths, f"swap-{number}")
    published = time.monotonic()
    while new not in tally.first_seen:
        if time.monotonic() - published > patience:
            raise TimeoutError(f"no answer names version {new} within {patience:.0f} s of its publication")
        time.sleep(0.01)
    time.sleep(2)
    return tally.first_seen[new] - published


if __name__ == "__main__":
    sys.exit(main())
