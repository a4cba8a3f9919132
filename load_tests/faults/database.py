"""PostgreSQL away for a minute under load: `python -m load_tests.faults.database`.

Starts a PostgreSQL, a model server and a gateway that keeps its history there, lets clients predict without
a pause or a retry, stops the database, starts it again, and compares what was answered with what the
history holds and with what the metric says was dropped. (Needs PostgreSQL's server, Debian: postgresql.)
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from load_tests.callers.metrics import sample
from load_tests.faults.crowd import Answer, crowd, summary
from load_tests.processes.postgresql import PostgreSQL, settled_port
from rekindle.child import Command
from rekindle.console import Console
from rekindle.loopback import free_ports
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0
STEADY_SECONDS = 5.0


def main() -> int:
    """Break, watch and print; 1 when a request failed or a row is missing that no metric counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--away-seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder, Supervisor(Console()) as supervisor:
        ports = free_ports(3)
        database = PostgreSQL(Path(folder) / "postgresql", settled_port()).start()
        try:
            stack = Stack(options.models.resolve(), Path(folder) / "data", *ports)
            start(supervisor, stack, database.url)
            answers = outage(stack, database, options)
            found = summary(answers) | settle(stack, database, answers)
        finally:
            database.stop()
    print(json.dumps({"clients": options.clients, "away_seconds": options.away_seconds, **found}, indent=2))
    return 1 if found["failed"] or found["missing and not counted"] else 0


def start(supervisor: Supervisor, stack: Stack, url: str) -> None:
    """Model server and gateway; the gateway migrates the database."""
    stack.data.mkdir()
    supervisor.finish(stack.bootstrap)
    supervisor.start(stack.model_server)
    variables = stack.gateway_variables | {"GATEWAY_DATABASE__URL": url}
    supervisor.start(Command("gateway", stack.gateway.arguments, variables))
    supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
    supervisor.wait_until(stack.gateway_is_ready, "Waiting for the gateway", START_SECONDS)


def outage(stack: Stack, database: PostgreSQL, options: argparse.Namespace) -> list[Answer]:
    """Predictions before, while and after the database is away."""
    with crowd(f"{stack.url}/v1/models/{options.model}/predictions", options.clients) as clients:
        time.sleep(STEADY_SECONDS)
        database.stop()
        time.sleep(options.away_seconds)
        backlog = sample(stack.url, "gateway_history_backlog")
        print(f"the database comes back; {backlog:.0f} predictions wait", file=sys.stderr)
        database.start()
        time.sleep(2 * STEADY_SECONDS)
        return clients.stop()


def settle(stack: Stack, database: PostgreSQL, answers: list[Answer]) -> dict[str, float]:
    """Rows and dropped predictions once nothing waits any more."""
    started = time.monotonic()
    while sample(stack.url, "gateway_history_backlog"):
        if time.monotonic() - started > START_SECONDS:
            raise TimeoutError("the backlog does not empty")
        time.sleep(0.2)
    with create_engine(make_url(database.url).set(drivername="postgresql+psycopg")).connect() as connection:
        rows = connection.execute(text("SELECT count(*) FROM predictions")).scalar_one()
    answered = sum(answer.status == 200 for answer in answers)
    dropped = sample(stack.url, "gateway_history_dropped_total")
    return {
        "rows": rows,
        "dropped by the metric": dropped,
        "missing and not counted": answered - rows - dropped,
        "pictures dropped by the metric": sample(stack.url, "gateway_history_pictures_dropped_total"),
        "seconds until all was written": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
