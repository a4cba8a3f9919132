"""People who ask at a steady rate, whether answers come or not, and tell of some answers what was right."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from load_tests.live.pictures import LabelledPicture

FEEDBACK_DELAY_SECONDS = 1.5
"""The history is written within half a second."""


@dataclass
class Seen:
    """What they saw."""

    requests: int = 0
    failed: int = 0
    by_version: Counter[int] = field(default_factory=Counter)
    feedback: int = 0
    feedback_lost: int = 0
    slowest_ms: float = 0.0
    first_answers: dict[int, float] = field(default_factory=dict)
    """time.monotonic() of each version's first answer."""


class People:
    """Ask until `stop`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        model: str,
        pictures: Sequence[LabelledPicture],
        rate: float,
        feedback_share: float,
        seed: int,
    ) -> None:
        self._client = client
        self._path = f"/v1/models/{model}/predictions"
        self._pictures = pictures
        self._rate = rate
        self._feedback_share = feedback_share
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Task[None] | None = None
        self.seen = Seen()

    def start(self) -> None:
        """Begin to ask."""
        self._asking = asyncio.create_task(self._ask_on())

    async def stop(self) -> Seen:
        """Ask no more, and wait for what is on its way."""
        if self._asking is not None:
            self._asking.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self.seen

    async def _ask_on(self) -> None:
        due = time.monotonic()
        while True:
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._spawn(self._ask(self._chance.choice(self._pictures)))

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, picture: LabelledPicture) -> None:
        self.seen.requests += 1
        started = time.monotonic()
        try:
            answer = await self._client.post(self._path, content=picture.content, headers=_HEADERS)
            answer.raise_for_status()
        except httpx.HTTPError:
            self.seen.failed += 1
            return
        told = answer.json()
        self.seen.slowest_ms = max(self.seen.slowest_ms, (time.monotonic() - started) * 1000)
        self.seen.by_version[told["version"]] += 1
        self.seen.first_answers.setdefault(told["version"], time.monotonic())
        if self._chance.random() < self._feedback_share:
            await self._tell(told["predictions"][0]["id"], picture.label)

    async def _tell(self, prediction: str, label: str) -> None:
        for _ in range(3):
            await asyncio.sleep(FEEDBACK_DELAY_SECONDS)
            try:
                answer = await self._client.put(
                    f"/v1/predictions/{prediction}/feedback", json={"label": label}
                )
            except httpx.HTTPError:
                continue
            if answer.is_success:
                self.seen.feedback += 1
                return
        self.seen.feedback_lost += 1


_HEADERS = {"Content-Type": "image/jpeg"}
