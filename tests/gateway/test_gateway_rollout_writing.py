"""The lock of a change: a busy database does not leave it behind."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import DatabaseError
from gateway.rollouts.writing import Leased

pytestmark = pytest.mark.anyio


class BusyLeases:
    """Leases in memory, of a database that is too busy for some releases."""

    def __init__(self, busy_releases: int) -> None:
        self.held: dict[str, str] = {}
        self._busy = busy_releases

    async def acquire(self, name: str, holder: str, seconds: float) -> bool:
        """None expires."""
        return self.held.setdefault(name, holder) == holder

    async def release(self, name: str, holder: str) -> None:
        """Fails as often as told."""
        if self._busy:
            self._busy -= 1
            raise DatabaseError("database is locked")
        if self.held.get(name) == holder:
            del self.held[name]


async def test_a_lock_is_given_back_by_a_busy_database() -> None:
    """Or the next change would wait until it expires."""
    leases = BusyLeases(busy_releases=2)
    async with Leased(leases, "a", 10).change("shades"):
        assert list(leases.held) == ["rollout:shades"]
    assert leases.held == {}


async def test_who_stops_waiting_for_a_lock_leaves_none() -> None:
    """The lock may have been taken in the moment in which the waiting was given up."""
    leases = BusyLeases(busy_releases=0)
    entered = asyncio.Event()

    async def acquire_late(name: str, holder: str, seconds: float) -> bool:
        leases.held[name] = holder
        entered.set()
        await asyncio.Event().wait()
        return True

    leases.acquire = acquire_late  # type: ignore[method-assign]

    async def change() -> None:
        async with Leased(leases, "a", 10).change("shades"):
            pass

    changing = asyncio.create_task(change())
    await entered.wait()
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert leases.held == {}
