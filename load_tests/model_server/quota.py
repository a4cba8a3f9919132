"""A CPU quota, and threads that follow it: `python -m load_tests.model_server.quota` (as root, on Linux).

Starts the model server in a control group of its own with half a CPU, once as it is, so that TensorFlow's
threads follow the quota, and once with as many threads as the machine has cores, in turns. Prints what 8
clients get and how often the kernel stopped the process. The groups are removed at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from load_tests.model_server.child import Crowd, child, request
from load_tests.processes.control_groups import ROOT, quota


@dataclass(frozen=True)
class Run:
    """One server under load."""

    threads: str
    requests_a_second: float
    median_ms: float
    p99_ms: float
    throttled_a_second: float


def measure(cpus: float, flags: list[str], seconds: float, clients: int, models: Path, model: str) -> Run:
    """Start a server under the quota, load it, and read what became of it."""
    with tempfile.TemporaryDirectory() as folder, quota(cpus) as group:
        log = Path(folder) / "server.log"
        arguments = [f"--model_name={model}", f"--model_base_path={models.resolve() / model}", *flags]
        with child(*arguments, log=log, prefix=group.prefix()) as server:
            crowd = Crowd(server.address, [request(model).SerializeToString()], clients)
            crowd.start()
            time.sleep(2)
            before, answered, started = group.throttled(), crowd.answered, time.monotonic()
            time.sleep(seconds)
            elapsed = time.monotonic() - started
            count, throttled = crowd.answered - answered, group.throttled() - before
            waits = sorted(crowd.seconds[answered:])
            crowd.stop()
            server.terminate()
        found = re.search(r"intra_op=(\d+) inter_op=(\d+)", log.read_text())
    threads = f"{found[1]}+{found[2]}" if found else "?"
    p99 = waits[int(len(waits) * 0.99)] * 1000
    return Run(threads, count / elapsed, statistics.median(waits) * 1000, p99, throttled / elapsed)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--cpus", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    forced = [f"--tensorflow_{pool}_op_parallelism={cores}" for pool in ("intra", "inter")]
    forced += [f"--grpc_max_threads={4 * cores}"]
    runs: dict[str, list[Run]] = {"threads follow the quota": [], f"threads of {cores} cores": []}
    try:
        for _ in range(arguments.rounds):
            for (name, found), flags in zip(runs.items(), ([], forced), strict=True):
                found.append(
                    measure(
                        arguments.cpus,
                        flags,
                        arguments.seconds,
                        arguments.clients,
                        arguments.models,
                        arguments.model,
                    )
                )
                print(f"{name}: {found[-1]}", flush=True)
    except OSError as error:
        print(
            f"cannot make a control group ({error}): run as root where {ROOT} can be written", file=sys.stderr
        )
        return 1
    print(f"\n| {arguments.cpus} CPUs | threads | requests/s | p50 ms | p99 ms | throttled/s |")
    print("|---|---|---|---|---|---|")
    for name, found in runs.items():
        columns = ("requests_a_second", "median_ms", "p99_ms", "throttled_a_second")
        medians = (statistics.median(getattr(run, column) for run in found) for column in columns)
        print(f"| {name} | {found[0].threads} | {' | '.join(f'{median:.1f}' for median in medians)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
