"""What only one gateway may do: follow the runs and start the scheduled ones, under a lease."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from gateway.errors import DatabaseError
from gateway.metrics import Metrics
from gateway.ports.leases import Leases
from gateway.training.recovery import Recovery
from gateway.training.schedules import ScheduleService

log = logging.getLogger(__name__)
LEASE = "control"


class Control:
    """One step renews the lease; who holds it does the work."""

    def __init__(
        self,
        leases: Leases,
        holder: str,
        lease_seconds: float,
        recovery: Recovery,
        schedules: ScheduleService,
        metrics: Metrics,
    ) -> None:
        self._leases = leases
        self._holder = holder
        self._seconds = lease_seconds
        self._recovery = recovery
        self._schedules = schedules
        self._metrics = metrics
        self.is_holder = False
        self._others: list[Callable[[], Awaitable[None]]] = []

    def also(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take this step too while this gateway holds the lease."""
        self._others.append(step)

    async def step(self) -> None:
        """Follow runs and schedules if this gateway holds the lease. Raises DatabaseError."""
        try:
            self._set(await self._leases.acquire(LEASE, self._holder, self._seconds))
        except DatabaseError:
            self._set(False)  # it may have passed to another; the metric must not say otherwise
            raise
        if self.is_holder:
            await self._recovery.step()
            await self._schedules.step()
            for step in self._others:
                await step()

    def _set(self, is_holder: bool) -> None:
        if is_holder != self.is_holder:
            log.info("control lease", extra={"held": is_holder})
            if not is_holder:
                self._recovery.rest()
        self.is_holder = is_holder
        self._metrics.control_lease.set(is_holder)

    async def aclose(self) -> None:
        """Give the lease back, so that another need not wait until it expires."""
        try:
            await self._leases.release(LEASE, self._holder)
        except DatabaseError as error:
            log.warning("the lease expires by itself", extra={"reason": str(error)})
        self._set(False)
