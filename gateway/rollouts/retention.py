"""Old versions leave the model store, so that it does not fill up.

What the rollout names stays (stable, its predecessor, canary, shadow, pinned), what the model servers'
configuration names, what is loading, and the newest few; a version whose rollout cannot be read stays too.
What one step deletes is decided and done under the lock of the model, so that nobody promotes a version
that is going.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from gateway.ports.store import ModelStore, StoredModel
from gateway.rollouts import rules
from gateway.rollouts.writing import Writing

log = logging.getLogger(__name__)


class VersionRetention:
    """Deletes what is no longer needed, where this gateway is the one that writes."""

    def __init__(
        self,
        store: ModelStore,
        writing: Writing,
        keep: int,
        note: Callable[[str, int], Awaitable[None]],
    ) -> None:
        """`keep`: the newest versions that stay in any case; 0 keeps all. `note`: told what is gone."""
        self._store = store
        self._writing = writing
        self._keep = keep
        self._note = note

    async def step(self) -> None:
        """Look at every model once. Raises StoreError, DatabaseError."""
        if not self._keep or not await self._writing.follows():
            return
        for stored in await asyncio.to_thread(self._store.scan):
            if await self._outdated(stored):
                await self._sweep(stored.name)

    async def _sweep(self, model: str) -> None:
        async with self._writing.change(model):
            found = await asyncio.to_thread(self._store.scan)
            stored = next((one for one in found if one.name == model), None)
            gone = await self._outdated(stored) if stored else []
            for version in gone:
                await asyncio.to_thread(self._store.delete_version, model, version)
                log.info("version deleted", extra={"model": model, "version": version})
        for version in gone:
            await self._note(model, version)

    async def _outdated(self, stored: StoredModel) -> list[int]:
        if stored.error or stored.rollout is None:
            return []
        config = await asyncio.to_thread(self._store.read_config, stored.name)
        named = {*stored.rollout.loaded, *rules.versions_in(config, stored.name)}
        return outdated(stored.versions, self._keep, named)


def outdated(versions: Collection[int], keep: int, named: Collection[int]) -> list[int]:
    """The versions that may go, ascending: neither named by anybody nor among the newest `keep`."""
    newest = sorted(versions)[-keep:]
    return sorted(set(versions) - set(newest) - set(named))
