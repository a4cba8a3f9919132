"""How many replicas are enough, for what, and what breaks next: `make capacity`.

Fits a queueing model with batching (load_tests.queueing) to the runs of `make load-test`, closed loads and
open ones (the small calls of an idle replica cost more an image than any closed load shows), holds it against
runs that it has not seen, states its error, and answers: replicas for X images a second at p99 ≤ Y, the
target value of an autoscaler on the arrival rate, and a table to 10,000 images a second with the CPUs, pods
and traffic of every part.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median
from typing import Any

from contract.layout import write_atomically
from load_tests.callers import pictures
from load_tests.comparing import comparison
from load_tests.comparing.plan import Run
from load_tests.queueing import fitting, simulation
from load_tests.queueing.report import GOAL_P99_ERROR, GOAL_THROUGHPUT_ERROR, lines
from load_tests.queueing.simulation import Replica

RATES = (10.0, 50.0, 100.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)
BUSY = 0.7
"""Of one CPU: how much of its one thread a gateway pod should use."""
MOST_REPLICAS = 4096
ANSWER_BYTES = 700
"""JSON of one prediction with five classifications, and HTTP's headers."""


@dataclass(frozen=True)
class Row:
    """What a rate needs."""

    images_per_second: float
    replicas: int
    replica_cpus: float
    p99_ms: float
    images_per_batch: float
    gateways: int
    gateway_cpus: float
    upload_mbit: float
    """From the callers to the gateways, and back."""
    inner_mbit: float
    """From the gateways to the model servers, decoded."""
    history_rows: float
    """A second, into the one database."""
    calls_in_flight: int
    """On one replica, from all gateways together."""
    next_bottleneck: str


def replicas_for(replica: Replica, rate: float, p99_ms: float) -> int:
    """The fewest replicas that answer so many images a second at that p99. Raises ValueError."""
    low = max(1, math.ceil(rate / replica.images_per_second))
    high = low
    while not _is_enough(replica, high, rate, p99_ms):
        low, high = high + 1, high * 2
        if high > MOST_REPLICAS:
            alone = simulation.opened(replica, 1, 0.1, 600.0).p99_ms
            raise ValueError(f"p99 ≤ {p99_ms:g} ms is out of reach: a lone image waits {alone:.0f} ms at p99")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_enough(replica, middle, rate, p99_ms) else (middle + 1, high)
    return low


def _is_enough(replica: Replica, count: int, rate: float, p99_ms: float) -> bool:
    result = simulation.opened(replica, count, rate, _seconds(rate))
    return result.p99_ms <= p99_ms and result.images_per_second >= 0.97 * rate


def _seconds(rate: float) -> float:
    """Long enough for 200 answers beyond the 99th percentile, short enough to wait for."""
    return min(600.0, max(10.0, 20_000 / rate))


def hpa_target(replica: Replica, p99_ms: float, least_replicas: int = 1) -> float:
    """Arrivals a second and replica that the smallest fleet bears at that p99: an autoscaler's AverageValue.

    Larger fleets bear more a replica, since they share one queue, so this errs on the safe side.
    """
    low, high = 0.0, replica.images_per_second
    for _ in range(7):
        middle = (low + high) / 2
        is_enough = _is_enough(replica, least_replicas, middle * least_replicas, p99_ms)
        low, high = (middle, high) if is_enough else (low, middle)
    return low


@dataclass(frozen=True)
class Costs:
    """Of one image, beside the model."""

    gateway_seconds: float
    """CPU of the gateway."""
    upload_bytes: float
    decoded_bytes: float

    @property
    def images_per_gateway(self) -> float:
        """A second."""
        return BUSY / self.gateway_seconds


def row(replica: Replica, costs: Costs, rate: float, p99_ms: float) -> Row:
    """What a rate needs. Raises ValueError."""
    count = replicas_for(replica, rate, p99_ms)
    result = simulation.opened(replica, count, rate, _seconds(rate))
    gateways = math.ceil(rate / costs.images_per_gateway)
    return Row(
        images_per_second=rate,
        replicas=count,
        replica_cpus=round(count * replica.cpus, 2),
        p99_ms=round(result.p99_ms, 1),
        images_per_batch=round(result.images_per_batch, 1),
        gateways=gateways,
        gateway_cpus=round(rate * costs.gateway_seconds, 2),
        upload_mbit=round(rate * (costs.upload_bytes + ANSWER_BYTES) * 8 / 1e6, 1),
        inner_mbit=round(rate * costs.decoded_bytes * 8 / 1e6, 1),
        history_rows=rate,
        calls_in_flight=gateways * replica.in_flight,
        next_bottleneck=_next_bottleneck(replica, costs, rate, count, gateways),
    )


def _next_bottleneck(replica: Replica, costs: Costs, rate: float, count: int, gateways: int) -> str:
    """What is full first when the rate grows and nothing is added."""
    loads = {
        "model servers": rate / (count * replica.images_per_second),
        "gateways": rate / (gateways * costs.images_per_gateway),
    }
    fullest = max(loads, key=lambda name: loads[name])
    return f"{fullest}, {loads[fullest]:.0%} full"


def costs_of(runs: Sequence[Run], largest: int) -> Costs:
    """From the runs, and the pictures that they sent."""
    sent = pictures.load(None, largest)
    seconds = median(run.gateway_cpus / run.images_per_second for run in runs)
    return Costs(seconds, fmean(len(picture.content) for picture in sent), 32 * 32 * 3)


def read(path: Path) -> tuple[list[Run], dict[str, Any]]:
    """The runs of a comparison, and its whole document. Raises SystemExit when it is not there."""
    if not path.is_file():
        raise SystemExit(f"{path} is not there; `make load-test` writes it")
    found = json.loads(path.read_text())
    return [Run(**run) for run in found["runs"]], found


def read_all(paths: Sequence[Path]) -> tuple[list[Run], dict[str, Any]]:
    """The runs of several comparisons, and the first document. Raises SystemExit for different shares."""
    found = [read(path) for path in paths]
    shares = {document["settings"]["cpus"] for _, document in found}
    if len(shares) > 1:
        raise SystemExit(f"the replicas had {shares} CPUs: fit runs of one share at a time")
    return [run for runs, _ in found for run in runs], found[0][1]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    results = Path(__file__).with_name("results")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    measured = (results / "replicas.json", results / "replicas-open.json")
    runs = [path for path in measured if path.is_file()] or [measured[0]]
    parser.add_argument(
        "--runs", type=Path, nargs="+", default=runs, help="of comparisons with one CPU share"
    )
    parser.add_argument("--unseen", type=Path, default=results / "replicas-unseen.json")
    parser.add_argument(
        "--cpus", type=float, default=1.0, help="of each replica that is asked for, at most 1"
    )
    parser.add_argument("--rate", type=float, nargs="+", default=list(RATES), help="images a second")
    parser.add_argument("--p99", type=float, default=250.0, help="ms (default: %(default)s)")
    parser.add_argument("--least-replicas", type=int, default=1, help="of the autoscaler")
    parser.add_argument("--output", type=Path, default=results / "capacity.json")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, validate, answer; 1 when the model misses its goals on the unseen runs."""
    options = parse(argv)
    runs, source = read_all(options.runs)
    unseen, _ = read(options.unseen)
    fitted = fitting.fit(runs, source["settings"]["cpus"])
    seen_checks = fitting.checks(fitted, comparison.summarise(runs))
    unseen_lines = comparison.summarise(unseen)
    checks = fitting.checks(fitted, unseen_lines)
    throughput, p99 = fitting.worst(checks)
    # What is planned holds if the model is as wrong as it was on the unseen runs.
    asked = replace(fitted, cpus=min(1.0, options.cpus)).dearer(1 + throughput)
    costs = costs_of(runs, 64)
    rows = [row(asked, costs, rate, options.p99) for rate in options.rate]
    target = hpa_target(asked, options.p99, options.least_replicas)
    found = {
        "kind": "capacity",
        "measured_at": source["measured_at"],
        "computed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": source["hardware"],
        "software": source["software"],
        "replica": asdict(fitted),
        "costs": asdict(costs),
        "fitted": [check.as_row() for check in seen_checks],
        "unseen": [
            check.as_row() | fitting.at_measured_cost(fitted, line)
            for check, line in zip(checks, unseen_lines, strict=True)
        ],
        "worst_error": {"throughput": round(throughput, 4), "p99": round(p99, 4)},
        "asked": {"cpus": asked.cpus, "p99_ms": options.p99, "capacity": round(asked.images_per_second, 1)},
        "hpa_target": round(target, 1),
        "table": [asdict(one) for one in rows],
    }
    write_atomically(options.output, json.dumps(found, indent=1).encode() + b"\n")
    print("\n".join(lines(found)))
    print(f"\nwrote {options.output}")
    return int(throughput > GOAL_THROUGHPUT_ERROR or p99 > GOAL_P99_ERROR)


if __name__ == "__main__":
    sys.exit(main())
