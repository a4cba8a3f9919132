"""Many concurrent requests become few batches, without a timer.

A replica that is idle pulls at once what waits; what arrives while its call runs forms the next batch. So
an idle gateway adds no wait, and a busy one sends batches as large as its load. None takes more than its
share of the images under way: with all of them in one call, gateway and replica would wait for each other in
turns. A batch holds images of one served version; a large request may be spread over several. Who pulls, and
what happens when a call fails, is gateway.serving.replica's business.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from math import ceil
from time import perf_counter

from gateway.errors import GatewayError, OverloadedError
from gateway.metrics import Metrics
from gateway.ports.serving import ServedVersion
from gateway.serving.pace import Pace
from gateway.serving.tickets import Answer, Batch, Slice, Ticket

LONGEST_SHARE = 1 / 3
"""Of a newcomer's own time: when it would wait for longer, as the pace of the last pulls tells, or when the
oldest image has waited for longer, it is refused at once. So under overload whoever is queued is answered in
time, whatever the replicas can do, and the rest learns in milliseconds that it should try again. Two
thirds remain for the call, and for another where a replica is lost; and so long it takes at most to drain the
queue beside half the load that can be carried."""

SMALLEST_SHARE = 16
"""Up to here a batch takes all that waits: for a CPU, smaller calls cost much more an image."""


def largest_batch(under_way: int, calls_at_once: int, max_batch: int) -> int:
    """A share of the images that are queued or in calls: as if as many gathered here as are in each call."""
    return min(max_batch, max(SMALLEST_SHARE, ceil(under_way / (calls_at_once + 1))))


class BatchQueue:
    """The one queue that every idle replica pulls from. Lives on one event loop."""

    def __init__(self, max_batch_images: int, max_queued_images: int, metrics: Metrics) -> None:
        self._max_batch = max_batch_images
        self._max_queued = max_queued_images
        self._metrics = metrics
        metrics.images_queued_limit.inc(max_queued_images)  # there may be several queues
        self._lines: dict[ServedVersion, deque[Slice]] = {}
        self._idle: deque[asyncio.Future[None]] = deque()
        self._queued = 0
        self._under_way = 0
        self._pace = Pace()

    @property
    def queued_images(self) -> int:
        """Images that no replica has pulled yet."""
        return self._queued

    async def submit(self, served: ServedVersion, images: Sequence[bytes], deadline: float) -> Answer:
        """Queue the images of one request and wait for all their rows.

        Args:
            images: at least one; each uint8, [height, width, 3], of the size that the card names.
            deadline: on the event loop's clock.

        Raises OverloadedError, DeadlineError, or the ReplicaError of the call. A caller that is
        cancelled leaves the queue.
        """
        if self._queued + len(images) > self._max_queued:
            self._metrics.images_shed.inc(len(images))
            raise OverloadedError(
                f"{self._queued} images are waiting and {len(images)} more would exceed {self._max_queued}; "
                "try again in a moment"
            )
        loop = asyncio.get_running_loop()
        self._refuse_if_late(len(images), deadline - loop.time())
        ticket = Ticket(served, images, deadline, loop)
        if not self._lines:
            self._pace.entered(ticket.entered_at)
        self._under_way += len(images)
        self._enter(Slice(ticket, 0, len(images)))
        expiry = loop.call_at(deadline, ticket.expire)
        try:
            await ticket.answered
        except BaseException:
            self._leave(ticket)
            raise
        finally:
            self._under_way -= len(images)
            expiry.cancel()
        return Answer(
            ticket.version,
            ticket.rows,
            ticket.pulled_at - ticket.entered_at,
            perf_counter() - ticket.pulled_at,
            ticket.embeddings,
        )

    def _refuse_if_late(self, images: int, seconds_left: float) -> None:
        """Raise OverloadedError when the newcomer would have to wait for too long."""
        if not self._lines:
            return
        waited = perf_counter() - min(line[0].ticket.entered_at for line in self._lines.values())
        expected = self._pace.seconds(self._queued)
        if max(waited, expected) > LONGEST_SHARE * seconds_left:
            self._metrics.images_shed.inc(images)
            raise OverloadedError(
                f"{self._queued} images are waiting, the oldest for {waited:.1f} s, and the newest would "
                f"for about {expected:.1f} s; try again in a moment"
            )

    async def take(self, calls_at_once: int = 1) -> Batch:
        """Wait until something is queued and pull the next batch.

        Args:
            calls_at_once: how many calls all who pull from here may have in flight together.
        """
        while not self._lines:
            await self._wait_idle()
        return self._pull(largest_batch(self._under_way, calls_at_once, self._max_batch))

    def repeat(self, batch: Batch, error: GatewayError, max_attempts: int) -> None:
        """Put the batch of a failed call to the front; what has had its attempts ends with the error."""
        for part in batch.slices:
            part.attempts += 1
            if part.attempts >= max_attempts:
                part.ticket.fail(error)
        self.give_back(batch)

    def give_back(self, batch: Batch) -> None:
        """Put a batch that was not sent to the front, without what nobody waits for."""
        self._pace.interrupted()
        for part in reversed(batch.slices):
            if not part.ticket.answered.done():
                self._enter(part, at_front=True)

    def _enter(self, part: Slice, *, at_front: bool = False) -> None:
        line = self._lines.setdefault(part.ticket.served, deque())
        if at_front:
            line.appendleft(part)
        else:
            line.append(part)
        self._count(len(part))
        self._wake()

    def _leave(self, ticket: Ticket) -> None:
        """Remove what is still queued of a request that nobody waits for."""
        line = self._lines.get(ticket.served, deque())
        gone = [part for part in line if part.ticket is ticket]
        for part in gone:
            line.remove(part)
            self._count(-len(part))
        if not line:
            self._lines.pop(ticket.served, None)
            self._pace.interrupted()

    def _pull(self, most: int) -> Batch:
        """The next batch of the version whose turn it is, of at most so many images: versions take turns."""
        served, line = next(iter(self._lines.items()))
        now = perf_counter()
        slices: list[Slice] = []
        room = most
        while line and room:
            part = line.popleft() if len(line[0]) <= room else line[0].cut(room)
            part.ticket.pulled_at = part.ticket.pulled_at or now
            slices.append(part)
            room -= len(part)
        del self._lines[served]
        if line:
            self._lines[served] = line
            self._wake()
        self._count(room - most)
        self._metrics.batch_images.observe(most - room)
        self._pace.pulled(most - room, now, is_any_left=bool(self._lines))
        return Batch(served, slices)

    def _count(self, images: int) -> None:
        self._queued += images
        self._metrics.images_queued.inc(images)  # there may be several queues

    def _wake(self) -> None:
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _wait_idle(self) -> None:
        """Wait in turn. A waiter that is cancelled after it was woken passes the call on."""
        waiter = asyncio.get_running_loop().create_future()
        self._idle.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()
            raise
