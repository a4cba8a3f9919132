"""Who may write rollouts: one gateway follows the store, and any may change a rollout, one at a time.

Every gateway reads the store. Which of them brings published versions to answer and writes models.config is
settled by a lease that is renewed; a change of one rollout, whoever makes it, is guarded by a lock of that
model, so that of two changes at once neither is lost. Both are rows in the database, because locks of network
file systems are not to be trusted.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Protocol
from uuid import uuid4

import stamina

from gateway.errors import DatabaseError
from gateway.ports.leases import Leases

log = logging.getLogger(__name__)

FOLLOWING = "rollouts"
CHANGE_SECONDS = 30.0
"""A change of one rollout is over long before; a gateway that died during one holds up others this long."""
RETRY_SECONDS = 0.05
RELEASE_TRIES = 3


class Writing(Protocol):
    """The right to write."""

    async def follows(self) -> bool:
        """True when this gateway brings versions to answer and writes models.config."""

    def change(self, model: str) -> AbstractAsyncContextManager[None]:
        """Inside, nobody else changes this model's rollout. Raises DatabaseError."""


class Alone:
    """Nobody else writes: `bootstrap`, before any gateway runs."""

    async def follows(self) -> bool:
        """Always."""
        return True

    def change(self, model: str) -> AbstractAsyncContextManager[None]:
        """At once."""
        return nullcontext()


class Reader:
    """This gateway only reads: the role `predict`."""

    async def follows(self) -> bool:
        """Never."""
        return False

    def change(self, model: str) -> AbstractAsyncContextManager[None]:
        """There is no route that would ask for it."""
        raise NotImplementedError(f"a gateway of the role predict was to change the rollout of {model!r}")


class Leased:
    """By leases in the database."""

    def __init__(self, leases: Leases, holder: str, lease_seconds: float) -> None:
        self._leases = leases
        self._holder = holder
        self._seconds = lease_seconds
        self._held_until = 0.0
        self._renew_at = 0.0

    async def follows(self) -> bool:
        """True while the lease is held; a database that is away ends that when the lease expires."""
        now = time.monotonic()
        if now >= self._renew_at:
            await self._renew(now)
        return now < self._held_until

    async def _renew(self, now: float) -> None:
        was_held = self._held_until > 0
        try:
            is_held = await self._leases.acquire(FOLLOWING, self._holder, self._seconds)
        except DatabaseError as error:
            log.debug("the lease of the rollouts is not renewed", extra={"reason": str(error)})
            return
        self._held_until = now + self._seconds if is_held else 0.0
        self._renew_at = now + self._seconds / 3 if is_held else now + self._seconds / 10
        if is_held != was_held:
            log.info("lease of the rollouts", extra={"held": is_held})

    @asynccontextmanager
    async def change(self, model: str) -> AsyncIterator[None]:
        """Wait for the model's lock, and give it back."""
        name, holder = f"rollout:{model}", f"{self._holder}:{uuid4().hex[:8]}"
        try:
            while not await self._leases.acquire(name, holder, CHANGE_SECONDS):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_SECONDS)  # another process has it
            yield
        finally:
            await self._release(name, holder)

    async def aclose(self) -> None:
        """Give the lease back for good, so that another need not wait until it expires."""
        self._held_until, self._renew_at = 0.0, math.inf
        await self._release(FOLLOWING, self._holder, tries=1)

    async def _release(self, name: str, holder: str, tries: int = RELEASE_TRIES) -> None:
        """A busy database is asked again: until it expires, a lock holds up every change."""
        try:
            async for attempt in stamina.retry_context(
                DatabaseError, attempts=tries, wait_initial=RETRY_SECONDS
            ):
                with attempt:
                    await self._leases.release(name, holder)
        except DatabaseError as error:
            log.warning("a lease expires by itself", extra={"lease": name, "reason": str(error)})
