"""What history, tokens and quotas cost: `python -m load_tests.gateway_cost --models models --model cifar10`.

Two gateways before one model server, one bare and one with the history of every picture, a bearer token
and both quotas of a caller, are measured in turn by wrk, one picture a request; the figure is the ratio of
their answers per second, median over the rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from load_tests.peers.driving import SCRIPT
from rekindle.child import Command
from rekindle.console import Console
from rekindle.loopback import free_ports, get
from rekindle.stack import PICTURE
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0
SECRET = "rk_only-for-this-measurement"
CONNECTIONS = (1, 8, 32, 64)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    http, other, grpc, rest = free_ports(4)
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder, Supervisor(Console()) as supervisor:
        stack = Stack(options.models.resolve(), Path(folder), http, grpc, rest)
        bare, full = variables(stack, Path(folder), other)
        supervisor.finish(stack.bootstrap)
        supervisor.start(stack.model_server)
        for extra in (bare, full):
            supervisor.start(Command("gateway", stack.gateway.arguments, stack.gateway_variables | extra))
        supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
        for port in (http, other):
            ready = f"http://127.0.0.1:{port}/readyz"
            supervisor.wait_until(lambda: get(ready) is not None, "Waiting for a gateway", START_SECONDS)  # noqa: B023
        found = measure({"bare": http, "full": other}, options.model, options.rounds, options.seconds)
    print(json.dumps(found, indent=2))
    return 0


def variables(stack: Stack, folder: Path, port: int) -> tuple[dict[str, str], dict[str, str]]:
    """Settings of the bare and of the full gateway beyond the stack's."""
    tokens = folder / "tokens"
    tokens.write_text(f"bench predict {hashlib.sha256(SECRET.encode()).hexdigest()}\n")
    bare = {"GATEWAY_HISTORY__ENABLED": "false", "GATEWAY_DATABASE__URL": f"sqlite:///{folder}/bare.sqlite3"}
    full = {
        "GATEWAY_SERVER__PORT": str(port),
        "GATEWAY_ACCESS__TOKENS_FILE": str(tokens),
        "GATEWAY_ACCESS__REQUESTS_PER_MINUTE": "100000000",
        "GATEWAY_ACCESS__REQUESTS_AT_ONCE": "100000",
    }
    return bare, full


def measure(ports: dict[str, int], model: str, rounds: int, seconds: int) -> dict[str, dict[str, float]]:
    """Answers per second of each at each number of connections, and full as a share of bare."""
    rates: dict[tuple[int, str], list[float]] = defaultdict(list)
    for round_ in range(rounds + 1):
        for connections in CONNECTIONS:
            names = list(ports) if round_ % 2 else list(reversed(ports))
            for name in names:
                url = f"http://127.0.0.1:{ports[name]}/v1/models/{model}/predictions"
                rate = answers_per_second(url, connections, seconds if round_ else 1)
                if round_:  # the first is a warm-up
                    rates[connections, name].append(rate)
        print(f"round {round_} of {rounds}", file=sys.stderr)
    found = {}
    for connections in CONNECTIONS:
        bare, full = rates[connections, "bare"], rates[connections, "full"]
        shares = [with_all / alone for alone, with_all in zip(bare, full, strict=True)]
        found[f"{connections} connections"] = {
            "bare, answers/s": round(statistics.median(bare)),
            "full, answers/s": round(statistics.median(full)),
            "full as a share of bare": round(statistics.median(shares), 3),
        }
    return found


def answers_per_second(url: str, connections: int, seconds: int) -> float:
    """One run of wrk. Raises SystemExit when an answer was no 200."""
    with tempfile.NamedTemporaryFile() as result:
        environment = os.environ | {
            "BENCH_BODY": str(PICTURE),
            "BENCH_CONTENT_TYPE": "image/jpeg",
            "BENCH_RESULT": result.name,
        }
        flags = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", f"-s{SCRIPT}"]
        command = ["wrk", *flags, "-H", f"Authorization: Bearer {SECRET}", url]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        measured = json.loads(Path(result.name).read_text())
    time.sleep(0.2)
    if measured["refused"] or measured["broken"] or not measured["requests"]:
        raise SystemExit(f"{url} refused requests: {measured}")
    return float(measured["requests"]) / float(measured["seconds"])


if __name__ == "__main__":
    sys.exit(main())
