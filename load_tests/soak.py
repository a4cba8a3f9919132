"""An hour at 80 % of the capacity, with version swaps: `make soak` (SOAK="--minutes 5" for a short one).

Measures the capacity, then sends 80 % of it as an open load, publishes the same version again every few
minutes, and reads the memory of each process once a second. Prints the failures and the slope of each
process' memory after the first quarter, in which allocators and caches fill.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from contract.layout import ModelPaths, publish
from load_tests.callers import generator
from load_tests.callers.generator import Load
from load_tests.callers.samples import latencies
from load_tests.processes.cpu_times import resident_megabytes
from load_tests.processes.stack import RunningStack, running_stack

SHARE = 0.8
SETTLING = 0.25
SOURCES = 20


@dataclass
class Memory:
    """Readings of each process' memory: seconds, megabytes."""

    pids: Mapping[str, int]
    readings: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def read_until(self, ended: threading.Event) -> None:
        """Once a second."""
        while not ended.wait(1.0):
            for name, pid in self.pids.items():
                self.readings.setdefault(name, []).append((time.monotonic(), resident_megabytes(pid)))

    def report(self) -> dict[str, dict[str, float]]:
        """First, last and slope (MB an hour) of each process, without the time of settling."""
        return {name: _slope(readings) for name, readings in self.readings.items()}


def _slope(readings: Sequence[tuple[float, float]]) -> dict[str, float]:
    """By least squares."""
    settled = readings[int(len(readings) * SETTLING) :]
    middle_x, middle_y = fmean(x for x, _ in settled), fmean(y for _, y in settled)
    spread = sum((x - middle_x) ** 2 for x, _ in settled) or 1.0
    slope = sum((x - middle_x) * (y - middle_y) for x, y in settled) / spread
    return {
        "first_mb": round(settled[0][1], 1),
        "last_mb": round(settled[-1][1], 1),
        "largest_mb": round(max(y for _, y in settled), 1),
        "mb_an_hour": round(3600 * slope, 2),
    }


def swap_until(ended: threading.Event, paths: ModelPaths, source: Path, every_seconds: float) -> None:
    """Publish the same version again and again."""
    number = 0
    while not ended.wait(every_seconds):
        number += 1
        publish(source, paths, f"soak-{number}")


def measure(
    stack: RunningStack, paths: ModelPaths, source: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Capacity, then the long load."""
    model = paths.root.name
    capacity = generator.run(Load(64, seconds=15), stack.url, model, {}).images_per_second
    memory, ended = (
        Memory({"gateway": stack.gateway_pid, "model server": stack.model_server_pid}),
        threading.Event(),
    )
    arguments = (ended, paths, source, options.swap_minutes * 60)
    threads = [
        threading.Thread(target=memory.read_until, args=(ended,)),
        threading.Thread(target=swap_until, args=arguments),
    ]
    for thread in threads:
        thread.start()
    try:
        load = Load(SOURCES, options.share * capacity, seconds=60 * options.minutes, warm_up_seconds=10)
        outcome = generator.run(load, stack.url, model, {})
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    failed = [one.problem for one in outcome.samples if one.problem]
    return {
        "capacity, images/s": round(capacity, 1),
        "minutes": round(outcome.seconds / 60, 1),
        "versions published": paths.versions()[-1] - 1,
        "requests": len(outcome.samples),
        "failed": len(failed),
        "problems": failed[:3],
        "images/s": round(outcome.images_per_second, 1),
        "p50, p99 ms": [
            round(wait, 1) for wait in (latencies(outcome.samples).p50, latencies(outcome.samples).p99)
        ],
        "memory": memory.report(),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--swap-minutes", type=float, default=5)
    parser.add_argument("--share", type=float, default=SHARE, help="of the capacity")
    options = parser.parse_args(argv)
    bundled = ModelPaths(options.models, options.model)
    source = bundled.version(bundled.versions()[-1])
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder:
        paths = ModelPaths(Path(folder), options.model)
        shutil.copytree(source, paths.version(1))
        with running_stack(paths.store) as stack:
            found = measure(stack, paths, source, options)
    print(json.dumps(found, indent=2))
    return int(bool(found["failed"]))


if __name__ == "__main__":
    sys.exit(main())
