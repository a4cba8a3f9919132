"""A canary's trial: the evidence that every gateway adds, and what was decided from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.ports.serving import ServedVersion

Signal = Literal["errors", "latency", "accuracy"]
SIGNALS: tuple[Signal, ...] = ("errors", "latency", "accuracy")

Outcome = Literal["running", "promoted", "rolled_back", "ended"]
"""`ended`: by an operator, who took the canary away or changed stable."""


@dataclass(frozen=True, slots=True)
class Table:
    """How many of each version, and how many of them were hits: failed, slow or wrong."""

    canary: int = 0
    canary_hits: int = 0
    stable: int = 0
    stable_hits: int = 0

    def __add__(self, other: Table) -> Table:
        return Table(
            self.canary + other.canary,
            self.canary_hits + other.canary_hits,
            self.stable + other.stable,
            self.stable_hits + other.stable_hits,
        )

    def noted(self, is_canary: bool, is_hit: bool) -> Table:
        """With one more."""
        return self + (Table(1, is_hit) if is_canary else Table(0, 0, 1, is_hit))

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """For a JSON column."""
        return self.canary, self.canary_hits, self.stable, self.stable_hits


@dataclass(frozen=True, slots=True)
class Arms:
    """Which two versions of a model are compared."""

    model: str
    stable: int
    canary: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one gateway saw of both versions in about a second. Written once, never changed."""

    id: str
    at: int
    """Microseconds since 1970, UTC; only to delete what nobody took."""
    arms: Arms
    blocks: Mapping[Signal, Sequence[Table]]
    """Each table is judged by itself: latencies have one for each size of batch."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One canary against one stable version. Moments are microseconds since 1970, UTC."""

    id: str
    arms: Arms
    began_at: int
    outcome: Outcome = "running"
    ended_at: int | None = None
    watched_seconds: float = 0.0
    """For how long somebody judged it, by a clock that does not jump."""
    state: Mapping[str, Any] | None = None
    """What gateway.canary.judging has summed up; None before the first evidence."""
    decision: Mapping[str, Any] | None = None
    """What shall be done, with the numbers; kept before it is done, so that it is done after a crash."""


class Observer(Protocol):
    """Is told of every call on a model server. Costs microseconds and never raises."""

    def call(self, served: ServedVersion, images: int, seconds: float, *, is_failed: bool) -> None:
        """One Predict with so many images has ended."""


class Trials(Protocol):
    """The database's part. Every method raises DatabaseError when it cannot be asked."""

    async def save(self, rows: Sequence[Evidence]) -> None:
        """Keep evidence; what is there already (by id) is left as it is."""

    async def running(self, model: str) -> Trial | None:
        """The trial that has not ended."""

    async def begin(self, trial: Trial) -> Trial:
        """Keep a new trial, or give the model's running one."""

    async def take(self, trial_id: str, fold: Callable[[Trial, Sequence[Evidence]], Trial]) -> Trial | None:
        """Fold the evidence that waits into the trial, and delete it: in one transaction, so that each
        piece counts once whoever else tries. None when the trial does not run any more."""

    async def end(self, trial_id: str, outcome: Outcome, at: int) -> bool:
        """Make a running trial final; False when it already was."""

    async def page(self, model: str, limit: int) -> list[Trial]:
        """The newest trials."""

    async def tried(self, model: str, canary: int) -> bool:
        """Whether this version has ever been on trial."""

    async def forget(self, before: int) -> None:
        """Delete evidence that nobody took."""
