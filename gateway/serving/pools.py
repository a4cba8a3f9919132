"""Which model servers answer for which model: those of a model's own, and those for every other model.

Each pool has its own queue, because a replica must not pull what it cannot answer. To the rest of the
gateway all pools together look like one queue and one set of replicas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import NoReplicaError
from gateway.ports.serving import ServedVersion, VersionStatus
from gateway.serving.batching import BatchQueue
from gateway.serving.replicas import Replicas
from gateway.serving.tickets import Answer


@dataclass(frozen=True)
class Pool:
    """Replicas, and the queue they pull from."""

    queue: BatchQueue
    replicas: Replicas


class Pools:
    """All model servers."""

    def __init__(self, own: Mapping[str, Pool], common: Pool | None) -> None:
        """`own` by model; `common` answers for every model that has none of its own."""
        self._own = own
        self._common = common

    def __iter__(self) -> Iterator[Pool]:
        yield from self._own.values()
        if self._common is not None:
            yield self._common

    def _of(self, model: str) -> Pool:
        pool = self._own.get(model, self._common)
        if pool is None:
            known = ", ".join(sorted(self._own))
            raise NoReplicaError(
                f"there are model servers for {known}, and none for {model!r}; "
                f"add {model}=HOST:PORT to GATEWAY_PREDICTOR__TARGETS"
            )
        return pool

    # --- the queue ---

    @property
    def queued_images(self) -> int:
        """Images that no replica has pulled yet."""
        return sum(pool.queue.queued_images for pool in self)

    async def submit(self, served: ServedVersion, images: Sequence[bytes], deadline: float) -> Answer:
        """Queue the images before the model's servers and wait for all their rows. Raises GatewayError."""
        return await self._of(served.model).queue.submit(served, images, deadline)

    # --- the replicas ---

    def states(self) -> dict[str, bool]:
        """Address → whether the replica takes batches."""
        return {address: is_up for pool in self for address, is_up in pool.replicas.states().items()}

    def require(self, model: str | None = None, patience_seconds: float = 0.0) -> None:
        """Raise NoReplicaError when every replica for the model, or for any, has been away for so long."""
        if model is not None:
            self._of(model).replicas.require(patience_seconds)
            return
        faults: list[NoReplicaError] = []
        for pool in self:
            try:
                pool.replicas.require(patience_seconds)
            except NoReplicaError as error:
                faults.append(error)
            else:
                return
        raise faults[0]

    async def versions(self, model: str) -> dict[str, Mapping[int, VersionStatus]]:
        """What each of the model's replicas that is up says about its versions."""
        try:
            return await self._of(model).replicas.versions(model)
        except NoReplicaError:
            return {}

    async def resolve(self) -> None:
        """Take in the replicas that discovery names now, and retire those that it names no more."""
        await asyncio.gather(*(pool.replicas.resolve() for pool in self))

    def reconnect(self) -> None:
        """New connections to every replica, for new certificates."""
        for pool in self:
            pool.replicas.reconnect()

    async def aclose(self) -> None:
        """Retire every replica."""
        await asyncio.gather(*(pool.replicas.aclose() for pool in self))
