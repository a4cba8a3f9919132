"""Counters and histograms in the text form of upstream's exporter (util/prometheus_exporter.cc).

prometheus_client cannot write them: it appends `_total` to a counter's name, where upstream has none, and
writes HELP lines, where upstream has none either. For our own metrics it is used (own.py).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


def exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """Upper bounds of buckets: scale × growthⁿ for n = 0 … count − 1."""
    return tuple(scale * growth**power for power in range(count))


@dataclass
class Counter:
    """A number for each combination of label values that only grows."""

    name: str
    labels: tuple[str, ...]
    _values: dict[tuple[str, ...], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *values: str, amount: int = 1) -> None:
        """Count under these label values."""
        with self._lock:
            self._values[values] = self._values.get(values, 0) + amount

    def total(self) -> int:
        """The sum over all label values."""
        with self._lock:
            return sum(self._values.values())

    def lines(self) -> Iterator[str]:
        """The exposition."""
        with self._lock:
            values = dict(self._values)
        yield f"# TYPE {self.name} counter"
        for labels, value in values.items():
            yield f"{self.name}{_braces(self.labels, labels)} {value}"


@dataclass
class _Distribution:
    counts: list[int]
    total: float = 0.0


@dataclass
class Histogram:
    """A distribution for each combination of label values."""

    name: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...]
    """Upper bounds of the buckets, ascending; a last one for everything above is implied."""
    _values: dict[tuple[str, ...], _Distribution] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, value: float, *values: str) -> None:
        """Record `value` under these label values."""
        bucket = bisect_left(self.bounds, value)
        with self._lock:
            distribution = self._values.get(values)
            if distribution is None:
                distribution = self._values[values] = _Distribution([0] * (len(self.bounds) + 1))
            distribution.counts[bucket] += 1
            distribution.total += value

    def lines(self) -> Iterator[str]:
        """The exposition: cumulative buckets, sum and count."""
        with self._lock:
            values = {labels: (list(one.counts), one.total) for labels, one in self._values.items()}
        yield f"# TYPE {self.name} histogram"
        for labels, (counts, total) in values.items():
            below = 0
            for bound, count in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
                below += count
                yield f"{self.name}_bucket{_braces((*self.labels, 'le'), (*labels, bound))} {below}"
            yield f"{self.name}_sum{_braces(self.labels, labels)} {_number(total)}"
            yield f"{self.name}_count{_braces(self.labels, labels)} {below}"


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return f"{value:g}" if value < 2**53 and value != int(value) else str(int(value))
