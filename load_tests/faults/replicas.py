"""One of three model servers killed, then frozen, under load: `python -m load_tests.faults.replicas`.

Starts three model servers and a gateway, lets clients predict without a pause or a retry, kills one server
with SIGKILL, starts it again, and freezes another with SIGSTOP, its connections open. Prints the requests
that failed, how long each server was put aside, and the longest wait.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from load_tests.callers.metrics import sample
from load_tests.faults.crowd import crowd, summary
from rekindle.child import Command
from rekindle.console import Console
from rekindle.loopback import HOST, free_ports, get
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0
STEADY_SECONDS = 5.0


def main() -> int:
    """Break, watch and print; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder, Supervisor(Console()) as supervisor:
        http, *ports = free_ports(7)
        stacks = [
            Stack(options.models.resolve(), Path(folder), http, grpc, rest)
            for grpc, rest in zip(ports[:3], ports[3:], strict=True)
        ]
        servers = start(supervisor, stacks)
        path = f"{stacks[0].url}/v1/models/{options.model}/predictions"
        with crowd(path, options.clients) as clients:
            time.sleep(STEADY_SECONDS)
            killed = kill_and_restart(stacks[0], servers)
            time.sleep(STEADY_SECONDS)
            frozen = freeze(stacks[1], servers[1])
            time.sleep(STEADY_SECONDS)
            answers = clients.stop()
        for server in servers:
            server.kill()
            server.wait()
    print(json.dumps({"clients": options.clients, **summary(answers), **killed, **frozen}, indent=2))
    return 1 if any(answer.status != 200 for answer in answers) else 0


def start(supervisor: Supervisor, stacks: list[Stack]) -> list[subprocess.Popen[bytes]]:
    """Three servers, which the caller ends, and the gateway before them."""
    first = stacks[0]
    supervisor.finish(first.bootstrap)
    servers = [serve(stack) for stack in stacks]
    targets = ",".join(f"{HOST}:{stack.grpc_port}" for stack in stacks)
    variables = first.gateway_variables | {"GATEWAY_PREDICTOR__TARGETS": targets}
    supervisor.start(Command("gateway", first.gateway.arguments, variables))
    for stack in stacks:
        supervisor.wait_until(stack.models_are_available, "Waiting for a model server", START_SECONDS)
    supervisor.wait_until(lambda: get(f"{first.url}/readyz") is not None, "Waiting for the gateway", 60)
    return servers


def serve(stack: Stack) -> subprocess.Popen[bytes]:
    """A model server outside the supervisor, which would end everything when one dies."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(stack.model_server.arguments, stdout=quiet, stderr=quiet)


def kill_and_restart(stack: Stack, servers: list[subprocess.Popen[bytes]]) -> dict[str, float]:
    """SIGKILL the first server, start it again; seconds until it was put aside and took traffic again."""
    replica = f"{HOST}:{stack.grpc_port}"
    killed = time.monotonic()
    servers[0].kill()
    servers[0].wait()
    aside = seconds_until(lambda: sample(stack.url, "gateway_replica_up", replica=replica) == 0, killed)
    time.sleep(STEADY_SECONDS)
    servers[0] = serve(stack)
    while not stack.models_are_available():
        time.sleep(0.05)
    available = time.monotonic()
    before = calls(stack, replica)
    back = seconds_until(lambda: calls(stack, replica) > before, available)
    return {"killed: put aside after s": aside, "killed: traffic after AVAILABLE again, s": back}


def freeze(stack: Stack, server: subprocess.Popen[bytes]) -> dict[str, float]:
    """SIGSTOP a server for ten seconds; seconds until it was put aside and until it took traffic again."""
    replica = f"{HOST}:{stack.grpc_port}"
    os.kill(server.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    aside = seconds_until(lambda: sample(stack.url, "gateway_replica_up", replica=replica) == 0, stopped)
    time.sleep(10)
    before = calls(stack, replica)
    os.kill(server.pid, signal.SIGCONT)
    resumed = time.monotonic()
    back = seconds_until(lambda: calls(stack, replica) > before, resumed)
    return {"frozen: put aside after s": aside, "frozen: traffic after SIGCONT, s": back}


def calls(stack: Stack, replica: str) -> float:
    """Successful calls of a replica so far."""
    return sample(stack.url, "gateway_replica_calls_total", replica=replica, outcome="answered")


def seconds_until(is_so: Callable[[], bool], since: float, patience: float = 60.0) -> float:
    """Seconds since `since` (monotonic) until `is_so()`. Raises TimeoutError."""
    while not is_so():
        if time.monotonic() - since > patience:
            raise TimeoutError(f"still not so after {patience:.0f} s")
        time.sleep(0.05)
    return round(time.monotonic() - since, 2)


if __name__ == "__main__":
    sys.exit(main())
