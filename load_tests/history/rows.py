"""Pages of a long history: `python -m load_tests.history.rows --rows 1000000 [--postgresql]`.

Fills a migrated, empty database with made-up predictions of 90 days, starts a gateway on it, and prints
the median milliseconds of the first page, of filtered pages, of a page in the middle and of the CSV's
first bytes: of a SQLite file, of a PostgreSQL that is started for it, or of a given, empty database.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import MetaData, Table, create_engine, insert, make_url, text

from load_tests.processes.postgresql import PostgreSQL, settled_port
from rekindle.loopback import free_ports

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DAYS = 90
CHUNK = 5000
QUESTIONS = {
    "first page": "/v1/predictions",
    "one label": "/v1/predictions?label=cat",
    "model and version": "/v1/predictions?model=cifar10&version=3",
    "a day, a label": "/v1/predictions?label=dog&since={day}&until={next_day}",
    "wrong answers": "/v1/predictions?model=cifar10&feedback=wrong",
    "unsure": "/v1/predictions?max_score=0.4",
}


def main() -> int:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="default: a SQLite file in a temporary folder")
    where.add_argument("--postgresql", action="store_true", help="start Debian's for it, and end it")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rekindle-"))
        url = options.url or f"sqlite:///{folder}/history.sqlite3"
        if options.postgresql:
            server = PostgreSQL(Path(folder) / "postgresql", settled_port())
            stack.callback(server.stop)
            url = server.start().url
        environment = os.environ | {"GATEWAY_DATABASE__URL": url, "GATEWAY_STORES__DATA": folder}
        subprocess.run([sys.executable, "-m", "gateway", "migrate"], check=True, env=environment)
        started = time.perf_counter()
        fill(url, options.rows)
        print(f"{options.rows:,} rows in {time.perf_counter() - started:.0f} s")
        with gateway(environment, Path(folder)) as client:
            print(json.dumps(measure(client, options.repeats), indent=2))
    return 0


def fill(url: str, rows: int) -> None:
    """Insert made-up predictions, oldest first."""
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address)
    with engine.begin() as connection:
        table = Table("predictions", MetaData(), autoload_with=connection)
        if connection.execute(text("SELECT 1 FROM predictions LIMIT 1")).scalar():
            raise SystemExit("the database is not empty; name another one")
    drawn = random.Random(1)
    end = int(time.time() * 1_000_000)
    step = DAYS * 86_400_000_000 // rows
    for start in range(0, rows, CHUNK):
        numbers = range(start, min(start + CHUNK, rows))
        values = [made_up(drawn, number, end - (rows - number) * step) for number in numbers]
        with engine.begin() as connection:
            connection.execute(insert(table), values)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def made_up(drawn: random.Random, number: int, at: int) -> dict[str, Any]:
    """One row: 3 versions, 10 labels, feedback on one of 50, wrong on one of 10 of those."""
    label, score = drawn.choice(LABELS), drawn.betavariate(8, 1.5)
    given = drawn.random() < 0.02
    feedback = (label if drawn.random() < 0.9 else drawn.choice(LABELS)) if given else None
    return {
        "id": f"{number:032x}",
        "at": at,
        "model": "cifar10",
        "version": 1 + number % 3,
        "role": "stable",
        "label": label,
        "score": score,
        "margin": score / 2,
        "entropy": 2.3 * (1 - score),
        "classifications": [[label, score]],
        "caller": "rows",
        "request_id": "",
        "milliseconds": 5.0,
        "feedback": feedback,
        "feedback_at": at if given else None,
        "feedback_by": "rows" if given else None,
    }


@contextmanager
def gateway(environment: dict[str, str], folder: Path) -> Iterator[httpx.Client]:
    """A gateway on the database; it needs no model server to show its history."""
    port = free_ports(1)[0]
    variables = {
        "SERVER__PORT": str(port),
        "STORES__MODELS": str(folder),
        "PREDICTOR__TARGETS": "127.0.0.1:1",
    }
    environment = environment | {f"GATEWAY_{name}": value for name, value in variables.items()}
    process = subprocess.Popen([sys.executable, "-m", "gateway", "serve"], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            while not _answers(client):
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/predictions?limit=1").is_success
    except httpx.TransportError:
        return False


def measure(client: httpx.Client, repeats: int) -> dict[str, float]:
    """Median milliseconds of each question, over HTTP."""
    days = {
        "day": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 40 * 86400)),
        "next_day": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 39 * 86400)),
    }
    found = {}
    for name, path in QUESTIONS.items():
        found[name] = _median(lambda: client.get(path.format(**days)).raise_for_status(), repeats)  # noqa: B023
    found["CSV, first bytes"] = _median(lambda: _first_bytes(client), repeats)
    return found


def _first_bytes(client: httpx.Client) -> None:
    with client.stream("GET", "/v1/predictions.csv") as answer:
        answer.raise_for_status()
        next(answer.iter_bytes())


def _median(ask: Any, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds[1:]) * 1000, 1)


if __name__ == "__main__":
    sys.exit(main())
