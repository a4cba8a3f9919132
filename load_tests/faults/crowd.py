"""Clients that predict without a pause and without a retry, and what each of their requests saw.

They run in processes of their own, so that what the script itself does meanwhile does not slow them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from rekindle.stack import PICTURE

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """One request."""

    moment: float
    """time.time() of its end."""
    seconds: float
    status: int
    """0 when no answer came."""


@dataclass
class Crowd:
    """A running process of clients."""

    process: subprocess.Popen[str]

    def stop(self) -> list[Answer]:
        """Let every client finish its request; what all of them saw, in the order of their ends."""
        said, _ = self.process.communicate("stop\n", timeout=2 * TIMEOUT_SECONDS)
        return [Answer(*row) for row in json.loads(said)]


@contextmanager
def crowd(url: str, clients: int) -> Iterator[Crowd]:
    """Start `clients` that post the sample picture to `url`; ended at the end."""
    command = [sys.executable, "-m", "load_tests.faults.crowd", url, str(clients)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    try:
        yield Crowd(process)
    finally:
        process.kill()
        process.wait()


def percentile(answers: list[Answer], share: float) -> float:
    """Milliseconds below which that share of the requests stayed."""
    waits = sorted(answer.seconds for answer in answers)
    return waits[min(len(waits) - 1, int(len(waits) * share))] * 1000


def summary(answers: list[Answer]) -> dict[str, float]:
    """Requests, failures, median, p99 and longest wait in ms."""
    if not answers:
        return {"requests": 0, "failed": 0}
    return {
        "requests": len(answers),
        "failed": sum(answer.status != 200 for answer in answers),
        "median_ms": round(statistics.median(answer.seconds for answer in answers) * 1000, 1),
        "p99_ms": round(percentile(answers, 0.99), 1),
        "longest_ms": round(percentile(answers, 1.0), 1),
    }


async def _ask(client: httpx.AsyncClient, url: str, stopped: asyncio.Event, seen: list[Answer]) -> None:
    picture = PICTURE.read_bytes()
    while not stopped.is_set():
        started, status = time.perf_counter(), 0
        with contextlib.suppress(httpx.HTTPError):
            status = (await client.post(url, content=picture, headers=_HEADERS)).status_code
        seen.append(Answer(time.time(), time.perf_counter() - started, status))


_HEADERS = {"Content-Type": "image/jpeg"}


async def _main(url: str, clients: int) -> None:
    stopped, seen = asyncio.Event(), list[Answer]()
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False) as client:
        asking = [asyncio.create_task(_ask(client, url, stopped, seen)) for _ in range(clients)]
        await asyncio.to_thread(sys.stdin.readline)
        stopped.set()
        await asyncio.gather(*asking)
    print(json.dumps([(one.moment, one.seconds, one.status) for one in seen]))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
