"""From the runs of a comparison to a replica of the queueing model, and how far it is from runs it has not
seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from load_tests.comparing import comparison
from load_tests.comparing.comparison import Line
from load_tests.comparing.plan import Point, Run
from load_tests.queueing import simulation
from load_tests.queueing.simulation import Replica, Result

ELSEWHERE_SECONDS = (0.0, 0.002, 0.004, 0.006, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06)
VARIATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
SIMULATED_SECONDS = 60.0


@dataclass(frozen=True)
class Check:
    """One load: what was measured, and what the model says."""

    replicas: int
    users: int
    arrivals: float
    measured_images_per_second: float
    modelled_images_per_second: float
    measured_p99_ms: float
    modelled_p99_ms: float

    @property
    def throughput_error(self) -> float:
        """Of the model, as a share of what was measured; negative when it says too little."""
        return self.modelled_images_per_second / self.measured_images_per_second - 1

    @property
    def p99_error(self) -> float:
        """Likewise."""
        return self.modelled_p99_ms / self.measured_p99_ms - 1

    def as_row(self) -> dict[str, Any]:
        """With the errors."""
        errors = {"throughput_error": self.throughput_error, "p99_error": self.p99_error}
        return asdict(self) | {name: round(error, 4) for name, error in errors.items()}


def fit(runs: Sequence[Run], cpus: float, in_flight: int = 2, max_batch: int = 64) -> Replica:
    """The replica that explains the runs best. Raises ValueError when the batches are all of one size.

    The CPU time of a call is a straight line through the runs; what their latencies say of the rest is
    found by trying.
    """
    runs = least_disturbed(runs)
    fixed, each = _line([run.images_per_batch for run in runs], [_call_seconds(run) for run in runs])
    lines = comparison.summarise(runs)
    first = Replica(fixed, each, 0.2, 0.0, cpus, in_flight, max_batch)
    by_rate = _best(
        (replace(first, elsewhere_seconds=seconds) for seconds in ELSEWHERE_SECONDS), lines, _throughput
    )
    return _best((replace(by_rate, variation=variation) for variation in VARIATIONS), lines, _p99)


def least_disturbed(runs: Sequence[Run]) -> list[Run]:
    """The fastest round of each load: what else a machine does can only slow a run down."""
    best: dict[Point, Run] = {}
    for run in runs:
        known = best.get(run.point)
        if known is None or _goodness(run) > _goodness(known):
            best[run.point] = run
    return list(best.values())


def _goodness(run: Run) -> tuple[float, float]:
    """An open load has its rate in any case; there the shorter p99 is the less disturbed."""
    return (0.0 if run.arrivals else run.images_per_second, -run.p99_ms)


def _call_seconds(run: Run) -> float:
    """CPU of one call into the model."""
    return sum(run.replica_cpus) / run.images_per_second * run.images_per_batch


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Intercept (at least 0) and slope, by least squares of the errors as shares of y."""
    weights = [1 / one**2 for one in y]
    total = sum(weights)
    middle_x = sum(w * one for w, one in zip(weights, x, strict=True)) / total
    middle_y = sum(w * one for w, one in zip(weights, y, strict=True)) / total
    spread = sum(w * (one - middle_x) ** 2 for w, one in zip(weights, x, strict=True))
    if not spread:
        raise ValueError("all runs have batches of one size; measure with more different numbers of users")
    together = (w * (a - middle_x) * (b - middle_y) for w, a, b in zip(weights, x, y, strict=True))
    slope = sum(together) / spread
    return max(0.0, middle_y - slope * middle_x), slope


def _throughput(check: Check) -> float:
    return check.throughput_error


def _p99(check: Check) -> float:
    return check.p99_error


def _best(candidates: Iterable[Replica], lines: Sequence[Line], error: Callable[[Check], float]) -> Replica:
    def distance(replica: Replica) -> float:
        return fmean(abs(error(check)) for check in checks(replica, lines))

    return min(candidates, key=distance)


def checks(replica: Replica, lines: Sequence[Line]) -> list[Check]:
    """The model beside each measured load."""
    return [_check(replica, line) for line in lines]


def _check(replica: Replica, line: Line) -> Check:
    result = simulate(replica, line)
    return Check(
        line.replicas,
        line.users,
        line.arrivals,
        line.images_per_second,
        round(result.images_per_second, 2),
        line.p99_ms,
        round(result.p99_ms, 2),
    )


def simulate(replica: Replica, line: Line) -> Result:
    """The load of a line."""
    if line.arrivals:
        return simulation.opened(replica, line.replicas, line.arrivals, SIMULATED_SECONDS)
    return simulation.closed(replica, line.replicas, line.users, SIMULATED_SECONDS)


def at_measured_cost(replica: Replica, line: Line) -> dict[str, float]:
    """Why p99 differs: what a call of this run cost by the model's, and the p99 of the model at that cost.

    Near the capacity of small calls a tenth of their cost is half of the p99; what is left with the cost that
    was measured is the error of the queue itself.
    """
    measured = line.replica_cpus / line.images_per_second * line.images_per_batch
    cost = measured / replica.call_seconds(line.images_per_batch)
    p99 = simulate(replica.dearer(cost), line).p99_ms
    return {
        "call_cost": round(cost, 3),
        "p99_at_cost_ms": round(p99, 2),
        "p99_error_at_cost": round(p99 / line.p99_ms - 1, 4),
    }


def worst(found: Sequence[Check]) -> tuple[float, float]:
    """The largest errors of throughput and p99, as shares, without sign."""
    return max(abs(c.throughput_error) for c in found), max(abs(c.p99_error) for c in found)
