"""The model server replicas: who is there, and whether anybody is well.

A ClusterIP or one gRPC channel with round_robin balances connections, not requests. Here each replica
has its own channel and pulls from the one queue when it is idle, so a slow replica takes less: what one does
is gateway.serving.replica's business; when versions move, gateway.rollouts.following's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from gateway.errors import NoReplicaError
from gateway.metrics import Metrics
from gateway.ports.canary import Observer
from gateway.ports.serving import Predictor, VersionStatus
from gateway.ports.tracing import Tracing, Untraced
from gateway.serving.batching import BatchQueue
from gateway.serving.replica import PROBE_TIMEOUT_SECONDS, Replica

log = logging.getLogger(__name__)


class Replicas:
    """All replicas of the model server, as discovery names them."""

    def __init__(
        self,
        discover: Callable[[], Awaitable[frozenset[str]]],
        connect: Callable[[str], Predictor],
        queue: BatchQueue,
        metrics: Metrics,
        *,
        in_flight: int,
        tracing: Tracing | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.tracing = tracing or Untraced()
        self._observer = observer
        self._discover = discover
        self._connect = connect
        self._queue = queue
        self._metrics = metrics
        self._in_flight = in_flight
        self._members: dict[str, Replica] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._none_up_since: float | None = asyncio.get_running_loop().time()

    def states(self) -> dict[str, bool]:
        """Address → whether the replica takes batches."""
        return {address: replica.is_up for address, replica in sorted(self._members.items())}

    @property
    def calls_at_once(self) -> int:
        """How many calls those that are up may have in flight together."""
        return self._in_flight * sum(replica.is_up for replica in self._members.values())

    def others_are_up(self, replica: Replica) -> bool:
        """True when another replica could do this one's work."""
        return any(other.is_up for other in self._members.values() if other is not replica)

    def note_change(self) -> None:
        """A replica came or went: keep since when there is none."""
        if any(replica.is_up for replica in self._members.values()):
            self._none_up_since = None
        elif self._none_up_since is None:
            self._none_up_since = asyncio.get_running_loop().time()

    def require(self, patience_seconds: float = 0.0) -> None:
        """Raise NoReplicaError when every replica has been away for longer than the patience."""
        since = self._none_up_since
        if since is not None and asyncio.get_running_loop().time() - since >= patience_seconds:
            names = ", ".join(sorted(self._members)) or "none resolved"
            raise NoReplicaError(f"no model server answers ({names}); try again in a moment")

    async def versions(self, model: str) -> dict[str, Mapping[int, VersionStatus]]:
        """What each replica that is up says about the model's versions; one that fails is left out."""
        members = [replica.predictor for replica in self._members.values() if replica.is_up]
        answers = await asyncio.gather(
            *(member.versions(model, PROBE_TIMEOUT_SECONDS) for member in members), return_exceptions=True
        )
        statuses: dict[str, Mapping[int, VersionStatus]] = {}
        for member, answer in zip(members, answers, strict=True):
            if isinstance(answer, BaseException):
                log.debug("no status", extra={"replica": member.address, "reason": str(answer)})
            else:
                statuses[member.address] = answer
        return statuses

    async def resolve(self) -> None:
        """Take in the replicas that discovery names now, and retire those that it names no more."""
        self._reconcile(await self._discover())

    def reconnect(self) -> None:
        """Give each replica a new connection; calls that run end on the old one."""
        addresses = frozenset(self._members)
        self._reconcile(frozenset())
        self._reconcile(addresses)

    async def aclose(self) -> None:
        """Retire every replica."""
        self._reconcile(frozenset())
        await asyncio.gather(*self._retiring, return_exceptions=True)

    def _reconcile(self, addresses: frozenset[str]) -> None:
        for address in addresses - self._members.keys():
            replica = Replica(self._connect(address), self._queue, self._metrics, self, self._observer)
            self._members[address] = replica
            replica.start(self._in_flight)
        for address in self._members.keys() - addresses:
            task = asyncio.create_task(self._retire(self._members.pop(address)))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        self.note_change()

    async def _retire(self, replica: Replica) -> None:
        await replica.retire()
        if (address := replica.predictor.address) not in self._members:
            self._metrics.forget_replica(address)
