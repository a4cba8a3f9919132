"""The model server beside the raw TensorFlow call: `python -m load_tests.model_server.bench`.

Children serve the bundled model: as it is, without merging, without the export's folding and freezing, in
bfloat16 and in 8-bit integers; another one calls TensorFlow in a loop, and a last one answers without a
model. They are asked in turns on one machine in one run. The client is h2load, which needs next to nothing
of the cores that it shares with what it measures. Prints tables and writes every figure to
load_tests/results/model_server.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from load_tests.model_server import h2load
from load_tests.model_server.child import Child, child, echo, request
from load_tests.processes.machine import hardware

RESULTS = Path(__file__).parent.parent / "results" / "model_server.json"
LOADS = ((1, 1), (1, 8), (1, 32), (8, 1), (8, 8), (64, 1), (64, 2), (64, 8))
"""Images a request, connections."""
SIDE = 32
CLASSES = 10
REST_MS = 0.5
"""Between two raw calls: about what client and gRPC take between two requests of one connection."""
CONTENDERS = ("merging", "alone", "unfolded", "bfloat16", "int8")
"""As it is; and with one thing changed."""


@dataclass(frozen=True)
class Run:
    """One contender under one load."""

    contender: str
    batch: int
    connections: int
    images_a_second: float
    median_ms: float
    p99_ms: float


class Raw:
    """The process that calls TensorFlow directly."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def run(self, batch: int, seconds: float, pause_ms: float = 0.0) -> Run:
        """Call with `batch` images for that long."""
        assert self._process.stdin is not None
        print(batch, seconds, pause_ms, file=self._process.stdin, flush=True)
        said = json.loads(self._read())
        name = "raw, rested" if pause_ms else "raw"
        return Run(name, batch, 1, batch * said["calls"] / said["seconds"], said["median_ms"], 0.0)


@contextmanager
def raw_process(version: Path) -> Iterator[Raw]:
    """Start it; end it."""
    command = [sys.executable, "-m", "load_tests.model_server.raw", str(version), str(SIDE)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    with process:
        try:
            yield Raw(process)
        finally:
            process.kill()


def measure(contender: str, server: Child, model: str, batch: int, connections: int, seconds: float) -> Run:
    """Let that many clients ask without a pause, each for `batch` images. Raises H2LoadError."""
    content = request(model, batch, SIDE).SerializeToString()
    waits, elapsed = h2load.ask(server.address, content, connections, seconds)
    p99 = waits[int(len(waits) * 0.99)] * 1000
    median = statistics.median(waits) * 1000
    return Run(contender, batch, connections, batch * len(waits) / elapsed, median, p99)


def one_round(servers: dict[str, Child], raw: Raw, floor: Child, model: str, seconds: float) -> Iterator[Run]:
    """Every load, every contender."""
    yield measure("echo", floor, model, 1, 1, seconds)
    yield raw.run(1, seconds, REST_MS)
    for batch, connections in LOADS:
        if connections == 1:
            yield raw.run(batch, seconds)
        for contender, server in servers.items():
            yield measure(contender, server, model, batch, connections, seconds)


def medians(runs: list[Run]) -> dict[tuple[str, int, int], Run]:
    """The median of each figure over the rounds."""
    found: dict[tuple[str, int, int], list[Run]] = {}
    for run in runs:
        found.setdefault((run.contender, run.batch, run.connections), []).append(run)
    return {
        key: Run(
            *key,
            *(
                statistics.median(getattr(run, column) for run in group)
                for column in ("images_a_second", "median_ms", "p99_ms")
            ),
        )
        for key, group in found.items()
    }


def table(found: dict[tuple[str, int, int], Run]) -> Iterator[str]:
    """Markdown: each load, the server, the server with one thing changed, the raw call on one thread."""
    yield (
        "| images a request | connections | images/s | p50, p99 ms | without merging | without folding "
        "| in bfloat16 | in int8 | raw | of raw |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for batch, connections in LOADS:
        ours, *others = (found[name, batch, connections] for name in CONTENDERS)
        raw = found["raw", batch, 1]
        changed = " | ".join(f"{run.images_a_second:.0f}" for run in others)
        yield (
            f"| {batch} | {connections} | {ours.images_a_second:.0f} "
            f"| {ours.median_ms:.2f}, {ours.p99_ms:.1f} "
            f"| {changed} | {raw.images_a_second:.0f} "
            f"| {ours.images_a_second / raw.images_a_second:.2f} |"
        )


def main() -> int:
    """Measure, print and write; 1 with one sentence when h2load is missing or an answer was not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    machine = hardware()
    base_path = (arguments.models / arguments.model).resolve()
    version = max((path for path in base_path.iterdir() if path.name.isdigit()), key=lambda p: int(p.name))
    runs: list[Run] = []
    try:
        with ExitStack() as stack:
            servers = start(stack, arguments.model, base_path, version)
            raw, floor = stack.enter_context(raw_process(version)), stack.enter_context(echo(CLASSES))
            for number in range(arguments.rounds):
                for run in one_round(servers, raw, floor, arguments.model, arguments.seconds):
                    runs.append(run)
                    print(f"round {number + 1}: {run}", file=sys.stderr, flush=True)
    except h2load.H2LoadError as error:
        print(f"The benchmark cannot go on: {error}", file=sys.stderr)
        return 1
    report(runs, machine)
    return 0


def start(stack: ExitStack, model: str, base_path: Path, version: Path) -> dict[str, Child]:
    """A server for each contender; those that need another export get it in a temporary folder."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    command = [sys.executable, "-m", "load_tests.model_server.variants", str(version), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    flags: dict[str, tuple[Path, tuple[str, ...]]] = {
        "merging": (base_path, ()),
        "alone": (base_path, ("--merge_waiting_requests=false",)),
        "unfolded": (folder / "unfolded", ()),
        "bfloat16": (folder / "reduced", ("--mixed_precision=bfloat16",)),
        "int8": (folder / "reduced", ("--quantization=int8",)),
    }
    return {
        name: stack.enter_context(child(f"--model_name={model}", f"--model_base_path={path}", *more))
        for name, (path, more) in flags.items()
    }


def report(runs: list[Run], machine: dict[str, Any]) -> None:
    """Print the medians, write every run."""
    found = medians(runs)
    print("\n".join(table(found)))
    overhead = found["merging", 1, 1].median_ms - found["raw", 1, 1].median_ms
    floor = found["echo", 1, 1].median_ms
    rest = found["raw, rested", 1, 1].median_ms - found["raw", 1, 1].median_ms
    print(f"\noverhead a request at batch 1, one connection: {overhead:.2f} ms")
    print(f"of which gRPC without a model server takes {floor:.2f} ms,")
    print(f"and TensorFlow's threads, asleep since the last call, {rest:.2f} ms")
    figures = {"hardware": machine, "overhead_ms": overhead, "floor_ms": floor, "rest_ms": rest}
    runs_of_all = [asdict(run) for run in runs]
    RESULTS.write_text(json.dumps({**figures, "runs": runs_of_all}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
