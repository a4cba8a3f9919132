"""What a comparison measures, in which order, and what of it is done: it can be interrupted and continued."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Point:
    """One load on so many replicas."""

    replicas: int
    users: int
    arrivals: float = 0.0
    """Calls a second, whatever is answered (an open load); 0: each user waits for its answer."""

    def __str__(self) -> str:
        load = f"{self.arrivals:g} calls/s" if self.arrivals else f"{self.users} users"
        return f"{self.replicas} {'replica' if self.replicas == 1 else 'replicas'}, {load}"


@dataclass(frozen=True)
class Run:
    """One point, measured once."""

    round: int
    replicas: int
    users: int
    arrivals: float
    seconds: float
    answers: int
    failures: int
    images_per_second: float
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    gateway_cpus: float
    """Of one: its event loop is one thread."""
    generator_cpus: float
    """Of one, as well."""
    replica_cpus: Sequence[float]
    replica_images: Sequence[float]
    """What each replica answered, warm-up included."""
    images_per_batch: float
    problems: Sequence[str] = ()
    """The first of each kind."""

    @property
    def point(self) -> Point:
        """What was measured."""
        return Point(self.replicas, self.users, self.arrivals)

    @property
    def unevenness(self) -> float:
        """Images of the busiest replica by those of the idlest; infinite when one had none."""
        return (
            max(self.replica_images) / min(self.replica_images) if min(self.replica_images) else float("inf")
        )


@dataclass
class Plan:
    """Every point, so many times; each round in an order of its own."""

    points: Sequence[Point]
    rounds: int
    settings: dict[str, Any]
    seed: int = 1
    done: list[Run] = field(default_factory=list)

    def left(self) -> Iterator[tuple[int, Point]]:
        """Round and point of what is not measured yet."""
        measured = {(run.round, run.point) for run in self.done}
        for number in range(1, self.rounds + 1):
            shuffled = random.Random(f"{self.seed} {number}").sample(list(self.points), len(self.points))
            yield from ((number, point) for point in shuffled if (number, point) not in measured)

    @property
    def total(self) -> int:
        """How many runs there are."""
        return self.rounds * len(self.points)


class Diary:
    """The runs of a plan in a file, a line each, so that the next start goes on where this one ended."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path, self._settings = path, json.loads(json.dumps(settings))

    def read(self) -> list[Run]:
        """What was measured with the same settings. Raises ValueError for other settings."""
        if not self._path.exists():
            return []
        first, *lines = self._path.read_text().splitlines()
        if json.loads(first) != self._settings:
            raise ValueError(f"{self._path} was begun with {first}; go on with those, or start with --fresh")
        return [Run(**json.loads(line)) for line in lines]

    def add(self, run: Run) -> None:
        """One more run."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._path.exists()
        with self._path.open("a") as file:
            if is_new:
                print(json.dumps(self._settings), file=file)
            print(json.dumps(asdict(run)), file=file)

    def forget(self) -> None:
        """Start anew."""
        self._path.unlink(missing_ok=True)
