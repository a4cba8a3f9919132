"""The plots of a comparison, on one page: throughput, percentiles, failures, CPUs, share of each replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from load_tests.comparing.comparison import Line

PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")


def draw(path: Path, lines: Sequence[Line]) -> None:
    """Write an SVG of the closed loads."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "rekindle"  # the same figures give the same file
    closed = [line for line in lines if not line.arrivals]
    parts: list[Callable[[Any, Sequence[Line]], None]] = [_throughput, _waits, _failures, _cpus, _shares]
    figure, axes = pyplot.subplots(1, len(parts), figsize=(4.2 * len(parts), 4), layout="constrained")
    for part, axis in zip(parts, axes, strict=True):
        part(axis, closed)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _by_replicas(lines: Sequence[Line]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = {}
    for line in lines:
        found.setdefault(line.replicas, []).append(line)
    return found


def _throughput(axis: Any, lines: Sequence[Line]) -> None:
    for replicas, group in _by_replicas(lines).items():
        middles = [line.images_per_second for line in group]
        low = [line.images_per_second - line.slowest_round for line in group]
        high = [line.fastest_round - line.images_per_second for line in group]
        users = [line.users for line in group]
        axis.errorbar(users, middles, yerr=[low, high], marker="o", capsize=3, label=f"{replicas} replicas")
    axis.set(title="Images per second", xlabel="users", ylim=(0, None))
    axis.legend()


def _waits(axis: Any, lines: Sequence[Line]) -> None:
    for replicas, group in _by_replicas(lines).items():
        for name, style in zip(PERCENTILES, ("-", "--", ":"), strict=True):
            users = [line.users for line in group]
            waits = [getattr(line, name) for line in group]
            label = f"{replicas}, {name.removesuffix('_ms')}"
            axis.plot(users, waits, style, marker="o", color=f"C{replicas - 1}", label=label)
    axis.set(title="Milliseconds of an answer", xlabel="users", ylim=(0, None))
    axis.legend(fontsize="x-small")


def _failures(axis: Any, lines: Sequence[Line]) -> None:
    axis.bar([_named(line) for line in lines], [line.failures for line in lines])
    axis.set(
        title="Failed requests", xlabel="replicas × users", ylim=(0, max([1, *(x.failures for x in lines)]))
    )
    axis.tick_params(axis="x", rotation=60)


def _cpus(axis: Any, lines: Sequence[Line]) -> None:
    names = [_named(line) for line in lines]
    for label, marker in (("replica_cpus", "s"), ("gateway_cpus", "o"), ("generator_cpus", "^")):
        axis.plot(names, [getattr(line, label) for line in lines], marker, label=label.removesuffix("_cpus"))
    axis.set(title="CPUs used", xlabel="replicas × users", ylim=(0, 1))
    axis.tick_params(axis="x", rotation=60)
    axis.legend()


def _shares(axis: Any, lines: Sequence[Line]) -> None:
    several = [line for line in lines if line.replicas > 1]
    for number in range(max((line.replicas for line in several), default=0)):
        shares = [line.replica_shares[number] if number < line.replicas else 0.0 for line in several]
        before = [sum(line.replica_shares[:number]) for line in several]
        axis.bar([_named(line) for line in several], shares, bottom=before, label=f"replica {number + 1}")
    axis.set(title="Share of the images", xlabel="replicas × users", ylim=(0, 1))
    axis.tick_params(axis="x", rotation=60)


def _named(line: Line) -> str:
    return f"{line.replicas} × {line.users}"
