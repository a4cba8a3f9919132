"""Load from inside the cluster: runs in a pod of the gateway's image and counts what its clients see.

    python load.py --url URL --model NAME --clients 20 --rate 40 [--images 1] --seconds 60

Open or closed: with a rate, requests are due by the clock and late ones are not forgiven; each client has one
connection. A request whose connection closed before a byte of the answer came is sent once more, and counted
as such. One JSON line a second, and a last one with the sums.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import time
from collections import Counter

import aiohttp
from PIL import Image


def picture() -> bytes:
    """A PNG of noise, 32 by 32."""
    file = io.BytesIO()
    Image.frombytes("RGB", (32, 32), random.randbytes(32 * 32 * 3)).save(file, "PNG")
    return file.getvalue()


class Load:
    """The clients, and what they saw."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.url = f"{options.url}/v1/models/{options.model}/predictions"
        self.sums: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0
        self.end = time.monotonic() + options.seconds

    async def client(self, number: int) -> None:
        """One caller after the other's pace until the end."""
        pause = self.options.clients / self.options.rate
        due = time.monotonic() + pause * number / self.options.clients
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            while due < self.end:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self.ask(session)
                due = max(due + pause, time.monotonic() - 5)

    async def ask(self, session: aiohttp.ClientSession) -> None:
        """One request, sent again once where no byte of an answer came."""
        began = time.monotonic()
        self.sums["requests"] += 1
        for attempt in range(2):
            try:
                await self.post(session)
                break
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if attempt:
                    self.fail(repr(error))
                else:
                    self.sums["retries"] += 1
            except (TimeoutError, aiohttp.ClientError) as error:
                self.fail(repr(error))
                break
        self.slowest = max(self.slowest, time.monotonic() - began)

    async def post(self, session: aiohttp.ClientSession) -> None:
        """One attempt."""
        form = aiohttp.FormData()
        for _ in range(self.options.images):
            form.add_field("images", picture(), filename="a.png", content_type="image/png")
        async with session.post(self.url, data=form) as answer:
            body = await answer.read()
            if answer.status == 200:
                self.sums["answered"] += 1
                self.versions[str(json.loads(body)["version"])] += 1
            elif answer.status in self.options.allow:
                self.sums[str(answer.status)] += 1
            else:
                self.fail(f"{answer.status} {body[:300]!r}")

    def fail(self, why: str) -> None:
        """Count and keep the first ones."""
        self.sums["failed"] += 1
        if len(self.failures) < 20:
            self.failures.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {why}")

    def report(self) -> str:
        """All sums so far."""
        told = {name: self.sums[name] for name in ("requests", "answered", "failed", "retries")} | self.sums
        more = {"slowest": round(self.slowest, 3), "versions": self.versions, "failures": self.failures}
        return json.dumps(told | more)

    async def tell(self) -> None:
        """A line a second."""
        while True:
            await asyncio.sleep(1)
            print(self.report(), flush=True)

    async def run(self) -> None:
        """Until the end."""
        telling = asyncio.create_task(self.tell())
        await asyncio.gather(*(self.client(number) for number in range(self.options.clients)))
        telling.cancel()
        print(self.report(), flush=True)


def main() -> None:
    """Read the arguments and go."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rate", type=float, default=20, help="requests per second of all clients")
    parser.add_argument("--images", type=int, default=1, help="in each request")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--allow", type=int, nargs="*", default=[], help="statuses that are no failure")
    asyncio.run(Load(parser.parse_args()).run())


if __name__ == "__main__":
    main()
