"""How much of the CPU each process uses while a load runs: read by a thread, twice a second. Linux."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL_SECONDS = 0.5


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads so far. Raises OSError when it is gone.

    By the process' own clock, in nanoseconds, whose id is computed as in Linux' clock_getcpuclockid: /proc
    counts in hundredths of a second.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_megabytes(pid: int) -> float:
    """The memory that a process holds, in MB (10^6 bytes). Raises OSError when it is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


def family_of(pid: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def tree_megabytes(pid: int) -> float:
    """The memory of a process and all below it, in MB; shared pages count in each."""
    total = 0.0
    for member in family_of(pid):
        with suppress(OSError, StopIteration):
            total += resident_megabytes(member)
    return total


@dataclass
class Recorder:
    """CPU seconds of named processes over time."""

    pids: Mapping[str, int]
    readings: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def read(self) -> None:
        """One reading of each process that is still there."""
        for name, pid in self.pids.items():
            try:
                self.readings.setdefault(name, []).append((time.time(), cpu_seconds(pid)))
            except OSError:
                continue

    def used(self, start: float, end: float) -> dict[str, float]:
        """CPUs that each process used between two moments (time.time()), from the readings inside."""
        found = {}
        for name, readings in self.readings.items():
            inside = [reading for reading in readings if start <= reading[0] <= end]
            if len(inside) > 1:
                (first, used_first), (last, used_last) = inside[0], inside[-1]
                found[name] = (used_last - used_first) / (last - first)
        return found


@contextmanager
def recording(pids: Mapping[str, int]) -> Iterator[Recorder]:
    """Read until the context ends."""
    recorder, ended = Recorder(pids), threading.Event()

    def work() -> None:
        while not ended.wait(INTERVAL_SECONDS):
            recorder.read()

    thread = threading.Thread(target=work, name="cpu times")
    thread.start()
    try:
        yield recorder
    finally:
        ended.set()
        thread.join()
