"""Is our path still as cheap as it was? A ratio within one run, for continuous integration.

Two servers in processes of their own answer the same requests in turns: the gateway before a model server
that answers at once without a model (load_tests.model_server.echo), and a fixed reference, FastAPI that
reads the same form and decodes the same picture. What is compared is CPU time per answer, the smallest of
several rounds each: unlike a rate it does not depend on who else uses the machine, and the ratio not on
the machine either. Ours may use LIMIT times what the reference uses; noise moves the ratio by a few per
cent, a lost optimisation by tens.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from contract.card import ModelCard
from contract.layout import ModelPaths
from load_tests.callers import forms, pictures
from load_tests.model_server.child import echo
from load_tests.processes.cpu_times import cpu_seconds
from rekindle.loopback import HOST, free_ports, get
from rekindle.topology import Stack

LIMIT = 2.5
ROUNDS = 4
ANSWERS = 200
IDLE_SECONDS = 2.0
START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """One of the two."""

    name: str
    url: str
    pid: int


@contextmanager
def started(command: Sequence[str], ready_url: str, variables: dict[str, str]) -> Iterator[int]:
    """A child process, once it answers; its process id. Raises RuntimeError."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=variables, stdout=said, stderr=said)
        try:
            end = time.monotonic() + START_SECONDS
            while get(ready_url) is None:
                if process.poll() is not None or time.monotonic() > end:
                    said.seek(0)
                    raise RuntimeError(f"{command} did not start: {said.read()[-2000:]}")
                time.sleep(0.1)
            yield process.pid
        finally:
            process.kill()
            process.wait()


def idle_share(server: Server) -> float:
    """CPU that it uses while nobody asks: polls and probes, which are no part of an answer."""
    before = cpu_seconds(server.pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(server.pid) - before) / IDLE_SECONDS


def milliseconds(
    server: Server, client: httpx.Client, bodies: Sequence[bytes], answers: int, idle: float
) -> float:
    """CPU per answer. Raises RuntimeError when one is not a 200."""
    headers = {"Content-Type": forms.CONTENT_TYPE}
    before, started_at = cpu_seconds(server.pid), time.monotonic()
    for number in range(answers):
        answer = client.post(server.url, content=bodies[number % len(bodies)], headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"{server.name} answered {answer.status_code}: {answer.text[:500]}")
    used = cpu_seconds(server.pid) - before - idle * (time.monotonic() - started_at)
    return 1000 * used / answers


@contextmanager
def both(models: Path, model: str) -> Iterator[tuple[Server, Server]]:
    """Our gateway before the echo, and the reference."""
    paths = ModelPaths(models.resolve(), model)
    card = ModelCard.model_validate_json(paths.card(paths.versions()[-1]).read_bytes())
    http, port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder, echo(len(card.labels)) as servers:
        stack = Stack(models.resolve(), Path(folder), http, servers.grpc_port, 0)
        ours = started(
            stack.gateway.arguments, f"{stack.url}/readyz", {**os.environ, **stack.gateway_variables}
        )
        command = [sys.executable, "-m", "load_tests.reference", str(port)]
        other = f"http://{HOST}:{port}"
        with ours as pid, started(command, f"{other}/readyz", dict(os.environ)) as other_pid:
            yield (
                Server("gateway", f"{stack.url}/v1/models/{model}/predictions", pid),
                Server("reference", f"{other}/predictions", other_pid),
            )


def measure(models: Path, model: str, rounds: int, answers: int) -> dict[str, float]:
    """CPU in ms per answer of both, the smallest of the rounds, and the ratio."""
    bodies = [forms.form([picture]) for picture in pictures.drawn(largest=64)]
    found: dict[str, list[float]] = {}
    with both(models, model) as servers, httpx.Client(trust_env=False, timeout=30) as client:
        idle = {server: idle_share(server) for server in servers}
        for number in range(rounds + 1):
            for server in servers:
                used = milliseconds(server, client, bodies, answers, idle[server])
                if number:  # the first is a warm-up
                    found.setdefault(server.name, []).append(used)
    ours, reference = min(found["gateway"]), min(found["reference"])
    return {"gateway_ms": ours, "reference_ms": reference, "ratio": ours / reference}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 beyond the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--answers", type=int, default=ANSWERS, help="of one round")
    options = parser.parse_args(argv)
    found = measure(options.models, options.model, options.rounds, options.answers)
    print(json.dumps({name: round(value, 3) for name, value in found.items()} | {"limit": LIMIT}))
    return int(found["ratio"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
