"""Every request of a load test as one row, for exact percentiles: Locust's own are rounded to two digits."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Sample:
    """What became of one request."""

    ended_at: float
    """Seconds since the epoch."""
    milliseconds: float
    status: int
    """0 when no answer came."""
    images: int
    problem: str
    """Empty for a right answer."""
    retry_after: str = ""


@dataclass(frozen=True)
class Latencies:
    """Of the right answers, in milliseconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    longest: float


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank of sorted values."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


def latencies(samples: Sequence[Sample]) -> Latencies:
    """Raises ValueError without a right answer."""
    waits = sorted(sample.milliseconds for sample in samples if not sample.problem)
    if not waits:
        raise ValueError("not one right answer")
    p50, p90, p95, p99 = (percentile(waits, share) for share in (0.5, 0.9, 0.95, 0.99))
    return Latencies(fmean(waits), p50, p90, p95, p99, waits[-1])


def write(path: Path, samples: Sequence[Sample]) -> None:
    """One file, complete or not there."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps([astuple(sample) for sample in samples]))
    os.replace(part, path)


def read(path: Path) -> list[Sample]:
    """What `write` wrote."""
    return [Sample(*row) for row in json.loads(path.read_text())]
