"""How prediction requests ended, by minute and by hour: what availability is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Resolution = Literal["minute", "hour"]


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One process's requests in one minute or hour."""

    resolution: Resolution
    at: int
    """Seconds since 1970, UTC, of its beginning."""
    source: str
    """The process."""
    answered: int
    refused: int
    """The caller's mistakes, quotas among them: 4xx."""
    failed: int
    """Ours: 5xx."""
    latencies: Sequence[int]
    """Answered requests by gateway.statistics.latencies' buckets."""


class ActivityStore(Protocol):
    """Every method raises DatabaseError when the database cannot be asked."""

    async def save(self, rows: Sequence[ActivityRow]) -> None:
        """Replace the rows of the same resolution, time and source."""

    async def read(self, resolution: Resolution, since: int, until: int) -> list[ActivityRow]:
        """All sources' rows with `since` ≤ `at` < `until`, ascending."""

    async def forget(self, resolution: Resolution, before: int) -> None:
        """Delete what is older."""
