"""What waits and what travels: a request's ticket, slices of its images, and batches of slices.

Who waits for how long and which slices become a batch is gateway.serving.batching's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from opentelemetry.trace import Span, get_current_span

from gateway.errors import DeadlineError, GatewayError
from gateway.ports.serving import Scores, ServedVersion


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request's images, in their order."""

    version: int
    rows: Sequence[Sequence[float]]
    queue_seconds: float
    """From entering the queue until the first image was pulled."""
    predict_seconds: float
    """From then until the last row arrived."""
    embeddings: Sequence[Sequence[float]] = ()
    """One for each image, where they were asked for."""


class Ticket:
    """One request in the queue: its images, its deadline, and the rows that have come back."""

    __slots__ = (
        "answered",
        "cause",
        "deadline",
        "embeddings",
        "entered_at",
        "images",
        "missing",
        "pulled_at",
        "rows",
        "served",
        "version",
    )

    def __init__(
        self, served: ServedVersion, images: Sequence[bytes], deadline: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.served = served
        self.images = images
        self.deadline = deadline
        self.cause = get_current_span()
        self.entered_at = perf_counter()
        self.pulled_at = 0.0
        self.rows: list[Sequence[float]] = [()] * len(images)
        self.embeddings = self.rows.copy() if served.gives_embedding else []
        self.missing = len(images)
        self.version = served.version
        self.answered: asyncio.Future[None] = loop.create_future()

    def fail(self, error: GatewayError) -> None:
        """End the request with an error, unless it has ended."""
        if not self.answered.done():
            self.answered.set_exception(error)

    def expire(self) -> None:
        """The deadline has passed."""
        waited = perf_counter() - self.entered_at
        self.fail(DeadlineError(f"no answer within {waited:.1f} s; send fewer images, or try again later"))

    def fill(
        self,
        start: int,
        rows: Sequence[Sequence[float]],
        version: int,
        embeddings: Sequence[Sequence[float]] = (),
    ) -> None:
        """Take in the rows of images `start`, `start` + 1, …; the last ones complete the answer."""
        self.rows[start : start + len(rows)] = rows
        if embeddings:
            self.embeddings[start : start + len(rows)] = embeddings
        self.version = version
        self.missing -= len(rows)
        if not self.missing and not self.answered.done():
            self.answered.set_result(None)


class Slice:
    """Images `start` to `stop` of a ticket: what is queued, pulled and, after a loss, given back."""

    __slots__ = ("attempts", "start", "stop", "ticket")

    def __init__(self, ticket: Ticket, start: int, stop: int, attempts: int = 0) -> None:
        self.ticket = ticket
        self.start = start
        self.stop = stop
        self.attempts = attempts

    def __len__(self) -> int:
        return self.stop - self.start

    def cut(self, count: int) -> Slice:
        """Take the first `count` images away into a slice of their own."""
        head = Slice(self.ticket, self.start, self.start + count, self.attempts)
        self.start += count
        return head


class Batch:
    """What one call carries: slices whose images belong to one served version."""

    def __init__(self, served: ServedVersion, slices: Sequence[Slice]) -> None:
        self.served = served
        self.slices = slices

    @property
    def size(self) -> int:
        """How many images it holds."""
        return sum(map(len, self.slices))

    @property
    def images(self) -> list[bytes]:
        """The images of all slices, in order."""
        return [image for part in self.slices for image in part.ticket.images[part.start : part.stop]]

    @property
    def causes(self) -> list[Span]:
        """The spans of its requests, of those that are traced."""
        return [part.ticket.cause for part in self.slices if part.ticket.cause.is_recording()]

    @property
    def deadline(self) -> float:
        """The latest deadline of its requests: until then somebody waits."""
        return max(part.ticket.deadline for part in self.slices)

    def deliver(self, scores: Scores) -> None:
        """Hand each request its rows."""
        position = 0
        for part in self.slices:
            here = slice(position, position + len(part))
            part.ticket.fill(part.start, scores.rows[here], scores.version, scores.embeddings[here])
            position = here.stop

    def fail(self, error: GatewayError) -> None:
        """End every request of the batch with the error."""
        for part in self.slices:
            part.ticket.fail(error)
