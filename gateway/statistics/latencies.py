"""Latencies as counts in fixed buckets, which add up over minutes and gateways; and their percentiles."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

GROWTH = 1.25
BOUNDS_MS = tuple(round(0.5 * GROWTH**power, 3) for power in range(54))
"""Upper bounds, 0.5 ms to 68 s; one bucket more takes what is above. A percentile is exact to an eighth."""
BUCKETS = len(BOUNDS_MS) + 1


def bucket_of(milliseconds: float) -> int:
    """The place of a latency among the buckets."""
    return bisect_left(BOUNDS_MS, milliseconds)


def added(rows: Sequence[Sequence[int]]) -> list[int]:
    """The sum, bucket by bucket."""
    return [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * BUCKETS


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Milliseconds below which `share` (0–1) of the requests stayed; None without any.

    Within its bucket the value is interpolated, as Prometheus' histogram_quantile does.
    """
    wanted = share * sum(counts)
    if wanted <= 0:
        return None
    below = 0
    for place, count in enumerate(counts):
        if count and below + count >= wanted:
            low = BOUNDS_MS[place - 1] if place else 0.0
            high = BOUNDS_MS[min(place, len(BOUNDS_MS) - 1)]
            return low + max(high - low, 0.0) * (wanted - below) / count
        below += count
    return BOUNDS_MS[-1]
