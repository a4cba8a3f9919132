"""What this process has seen of stable and canary, in blocks of a second or of ten answers.

A call on a model server is the unit of errors and latency: the images of one batch share its fate. Whether a
call is slow is measured at stable's own 95th percentile of calls of like size, which moves only between
blocks. What is decided from it all is gateway.canary.judging's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import uuid4

from contract.rollout import Rollout
from gateway.ports.canary import Arms, Evidence, Signal, Table
from gateway.ports.history import PredictionRow
from gateway.ports.moments import microseconds_now
from gateway.ports.serving import ServedVersion
from gateway.statistics.latencies import BUCKETS, bucket_of, percentile

WARM_UP_CALLS = 20
"""A version's first calls in this process: slow by themselves, so they do not count."""
CALLS_FOR_A_THRESHOLD = 100
CALLS_REMEMBERED = 4000
"""Then all counts are halved, so that the threshold follows the load."""

BLOCK = 10
"""Answers in a block at least, of both versions together; until then it waits for more."""

Key = tuple[Arms, Signal, int]


class EvidenceStore(Protocol):
    """The part of gateway.ports.canary.Trials that every gateway needs."""

    async def save(self, rows: Sequence[Evidence]) -> None:
        """Keep evidence."""


class Tally:
    """Lives on one event loop. A gateway.ports.canary.Observer."""

    def __init__(self, rollout_of: Callable[[str], Rollout | None], slow_factor: float) -> None:
        self._rollout_of = rollout_of
        self._slow_factor = slow_factor
        self._blocks: dict[Key, Table] = defaultdict(Table)
        self._calls: dict[tuple[str, int], int] = defaultdict(int)
        self._latencies: dict[tuple[str, int, int], list[int]] = {}
        self._limits: dict[tuple[str, int, int], float] = {}
        self._unsaved: list[Evidence] = []

    def call(self, served: ServedVersion, images: int, seconds: float, *, is_failed: bool) -> None:
        """Count one call."""
        rollout = self._rollout_of(served.model)
        if rollout is None or served.version not in (rollout.stable, rollout.canary):
            return
        version = (served.model, served.version)
        self._calls[version] += 1
        if self._calls[version] <= WARM_UP_CALLS:
            return
        size = (images - 1).bit_length()
        is_canary = served.version == rollout.canary
        if (arms := arms_of(rollout)) is not None:
            self._note(arms, "errors", 0, is_canary, is_failed)
            limit = self._limits.get((served.model, arms.stable, size))
            if limit is not None and not is_failed:
                self._note(arms, "latency", size, is_canary, seconds * 1000 > limit)
        if not is_canary and not is_failed:
            self._remember((*version, size), seconds)

    def _remember(self, key: tuple[str, int, int], seconds: float) -> None:
        counts = self._latencies.setdefault(key, [0] * BUCKETS)
        counts[bucket_of(seconds * 1000)] += 1

    async def feedback(self, row: PredictionRow, before: str | None) -> None:
        """A gateway.ports.history.FeedbackListener: the first label that an answer gets counts.

        Answers from before the rollout's last change do not: the canary had no part in them.
        """
        rollout = self._rollout_of(row.model)
        if row.feedback is None or before is not None or rollout is None:
            return
        arms = arms_of(rollout)
        if arms is None or row.at < rollout.updated_at.timestamp() * 1_000_000:
            return
        roles = {"stable": arms.stable, "canary": arms.canary}
        if roles.get(row.role) == row.version:
            self._note(arms, "accuracy", 0, row.role == "canary", row.feedback != row.label)

    def _note(self, arms: Arms, signal: Signal, stratum: int, is_canary: bool, is_hit: bool) -> None:
        key = (arms, signal, stratum)
        self._blocks[key] = self._blocks[key].noted(is_canary, is_hit)

    def take(self) -> list[Evidence]:
        """The blocks that are full; thresholds are set for the next. Those of others are dropped."""
        self._set_limits()
        found: dict[Arms, dict[Signal, list[Table]]] = defaultdict(lambda: defaultdict(list))
        for (arms, signal, stratum), table in list(self._blocks.items()):
            rollout = self._rollout_of(arms.model)
            is_over = rollout is None or arms_of(rollout) != arms
            if is_over or is_full(table):
                del self._blocks[arms, signal, stratum]
            if not is_over and is_full(table):
                found[arms][signal].append(table)
        at = microseconds_now()
        return [Evidence(uuid4().hex, at, arms, dict(tables)) for arms, tables in found.items()]

    async def flush(self, store: EvidenceStore) -> None:
        """Write what there is. Raises DatabaseError; then it waits, and what comes joins one larger block."""
        self._unsaved = self._unsaved or self.take()
        await store.save(self._unsaved)
        self._unsaved = []

    def _set_limits(self) -> None:
        for key, counts in list(self._latencies.items()):
            model, version, _ = key
            rollout = self._rollout_of(model)
            if rollout is None or rollout.stable != version:
                del self._latencies[key]
                self._limits.pop(key, None)
                continue
            count = sum(counts)
            if count >= CALLS_FOR_A_THRESHOLD:
                self._limits[key] = (percentile(counts, 0.95) or 0.0) * self._slow_factor
            if count > CALLS_REMEMBERED:
                self._latencies[key] = [each // 2 for each in counts]


def is_full(block: Table) -> bool:
    """Whether a block can say something: one of a single answer cannot. Only counts decide, never hits."""
    return block.canary + block.stable >= BLOCK and block.canary > 0 and block.stable > 0


def arms_of(rollout: Rollout) -> Arms | None:
    """The two versions of a canary that has traffic; None without one."""
    if rollout.stable is None or rollout.canary is None or not 0 < rollout.canary_share < 1:
        return None
    return Arms(rollout.model, rollout.stable, rollout.canary)
