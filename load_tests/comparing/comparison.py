"""What a comparison found, computed from its runs: medians, ratios, and whether they can be believed.

Nothing here was typed in by hand: the sentences of the report are chosen by the figures. How it is drawn and
written is load_tests.comparing.files' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from load_tests.comparing.plan import Point, Run

OFTEN_QUOTED = 3.8
"""The gain of three replicas over one that tutorials quote; above 3 only what is no throughput can get."""
GOAL_GAIN = 2.85
GOAL_UNEVENNESS = 1.2
GOAL_CPUS = 0.7


@dataclass(frozen=True)
class Line:
    """The rounds of one point together."""

    replicas: int
    users: int
    arrivals: float
    runs: int
    images_per_second: float
    """Median of the rounds, as is everything but the failures."""
    slowest_round: float
    fastest_round: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    answers: int
    failures: int
    images_per_batch: float
    gateway_cpus: float
    generator_cpus: float
    replica_cpus: float
    """Of all replicas together."""
    unevenness: float
    """Images of the busiest replica by those of the idlest."""
    replica_shares: Sequence[float]

    @property
    def load(self) -> str:
        """In words."""
        return str(Point(self.replicas, self.users, self.arrivals))


@dataclass(frozen=True)
class Gain:
    """Most replicas against fewest, at one number of users."""

    users: int
    replicas: tuple[int, int]
    throughput: float
    mean: float
    """How many times shorter the mean answer is; likewise p95."""
    p95: float

    @property
    def reaching(self) -> list[str]:
        """Which of the three reach what is often quoted."""
        named = {"throughput": self.throughput, "mean": self.mean, "p95": self.p95}
        return [name for name, gain in named.items() if gain >= OFTEN_QUOTED]


def summarise(runs: Sequence[Run]) -> list[Line]:
    """One line for each point, fewest replicas and users first."""
    groups: dict[Point, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.point, []).append(run)
    ordered = sorted(groups.items(), key=lambda item: (item[0].replicas, item[0].users, item[0].arrivals))
    return [_line(point, group) for point, group in ordered]


def _line(point: Point, group: Sequence[Run]) -> Line:
    def middle(name: str) -> float:
        return round(float(median(getattr(run, name) for run in group)), 3)

    totals = [sum(images) for images in zip(*(run.replica_images for run in group), strict=True)]
    return Line(
        replicas=point.replicas,
        users=point.users,
        arrivals=point.arrivals,
        runs=len(group),
        images_per_second=middle("images_per_second"),
        slowest_round=min(run.images_per_second for run in group),
        fastest_round=max(run.images_per_second for run in group),
        mean_ms=middle("mean_ms"),
        p50_ms=middle("p50_ms"),
        p95_ms=middle("p95_ms"),
        p99_ms=middle("p99_ms"),
        answers=sum(run.answers for run in group),
        failures=sum(run.failures for run in group),
        images_per_batch=middle("images_per_batch"),
        gateway_cpus=middle("gateway_cpus"),
        generator_cpus=middle("generator_cpus"),
        replica_cpus=round(median(sum(run.replica_cpus) for run in group), 3),
        unevenness=middle("unevenness"),
        replica_shares=[round(total / sum(totals), 4) for total in totals],
    )


def gains(lines: Sequence[Line]) -> list[Gain]:
    """For each number of users of the closed loads that fewest and most replicas had."""
    closed = [line for line in lines if not line.arrivals]
    counts = [line.replicas for line in closed]
    fewest, most = min(counts, default=0), max(counts, default=0)
    found = {(line.replicas, line.users): line for line in closed}
    users = sorted({count for replicas, count in found if replicas == fewest and (most, count) in found})
    return [_gain(found[fewest, count], found[most, count]) for count in users] if fewest < most else []


def _gain(few: Line, many: Line) -> Gain:
    return Gain(
        users=few.users,
        replicas=(few.replicas, many.replicas),
        throughput=round(many.images_per_second / few.images_per_second, 3),
        mean=round(few.mean_ms / many.mean_ms, 3),
        p95=round(few.p95_ms / many.p95_ms, 3),
    )


def interpretation(lines: Sequence[Line], found: Sequence[Gain]) -> list[str]:
    """Sentences, each chosen and filled in by the figures."""
    failures, answers = sum(line.failures for line in lines), sum(line.answers for line in lines)
    return [
        f"{failures:,} of {failures + answers:,} requests failed.",
        *_on_gains(found),
        _on_balance(lines),
        _on_validity(lines),
    ]


def _on_gains(found: Sequence[Gain]) -> list[str]:
    sentences = []
    for gain in found:
        reaching = f"{' and '.join(gain.reaching)} reach" if gain.reaching else "none of them reaches"
        few, many = gain.replicas
        sentences.append(
            f"At {gain.users} users {many} replicas give {gain.throughput:.2f} times the images/s of {few}, "
            f"the mean is {gain.mean:.2f} times shorter, p95 {gain.p95:.2f} times; "
            f"{reaching} {OFTEN_QUOTED} times."
        )
    if found:
        last = found[-1]
        verb = "meets" if last.throughput >= GOAL_GAIN else "misses"
        sentences.append(
            f"The gain in throughput at {last.users} users {verb} the goal of {GOAL_GAIN}. In a closed load "
            "throughput × mean is the number of users, so neither can gain more than the other."
        )
    return sentences


def _on_balance(lines: Sequence[Line]) -> str:
    several = [line for line in lines if line.replicas > 1]
    if not several:
        return "There was one replica, so nothing to balance."
    worst = max(several, key=lambda line: line.unevenness)
    verb = "within" if worst.unevenness <= GOAL_UNEVENNESS else "beyond"
    return (
        f"The busiest replica answered at most {worst.unevenness:.2f} times the images of the idlest "
        f"({worst.load}), {verb} the goal of {GOAL_UNEVENNESS}."
    )


def _on_validity(lines: Sequence[Line]) -> str:
    gateway = max(line.gateway_cpus for line in lines)
    generator = max(line.generator_cpus for line in lines)
    is_valid = max(gateway, generator) <= GOAL_CPUS
    verdict = (
        "so the replicas are what was measured" if is_valid else "so not only the replicas were measured"
    )
    return f"The gateway used at most {gateway:.2f} of one CPU, the generator {generator:.2f}, {verdict}."


def document(runs: Sequence[Run], settings: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """The whole result; `about` names the machine, the software, the day, and what else one should know."""
    lines = summarise(runs)
    found = gains(lines)
    return {
        "kind": "replicas",
        **about,
        "settings": settings,
        "interpretation": interpretation(lines, found),
        "summary": [asdict(line) for line in lines],
        "gains": [asdict(gain) | {"reaching": gain.reaching} for gain in found],
        "runs": [asdict(run) for run in runs],
    }
