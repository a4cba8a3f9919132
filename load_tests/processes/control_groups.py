"""Processes with a share of the CPU: control groups of version 1 or 2, made and removed by the script itself.

The same limit that a container's `cpus` or a pod's `limits.cpu` sets, without a container. Linux, as root.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000
"""Microseconds in which the share may be used up: what Docker and Kubernetes use."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Group:
    """A control group with a quota."""

    folder: Path
    is_version_two: bool

    def prefix(self) -> list[str]:
        """A command that runs another one inside the group."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh"]

    def limit(self, cpus: float) -> None:
        """From now on the group may use so many CPUs."""
        amount = int(cpus * PERIOD)
        if self.is_version_two:
            (self.folder / "cpu.max").write_text(f"{amount} {PERIOD}")
        else:
            (self.folder / "cpu.cfs_period_us").write_text(str(PERIOD))
            (self.folder / "cpu.cfs_quota_us").write_text(str(amount))

    def throttled(self) -> int:
        """How often the kernel stopped the group for the rest of a period."""
        statistics = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(statistics["nr_throttled"])


@contextmanager
def quota(cpus: float, root: Path = ROOT) -> Iterator[Group]:
    """A control group that may use so many CPUs, removed at the end. Raises OSError where there is none."""
    folder = _parent(root) / f"rekindle-{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    try:
        group = Group(folder, _is_version_two(root))
        group.limit(cpus)
        yield group
    finally:
        folder.rmdir()


def _parent(root: Path) -> Path:
    """Where groups of the CPU controller are made. Raises OSError."""
    if _is_version_two(root):
        enabled = root / "cgroup.subtree_control"
        if "cpu" not in enabled.read_text().split():
            enabled.write_text("+cpu")
        return root
    for folder in (root / "cpu", root / "cpu,cpuacct"):
        if (folder / "cpu.cfs_quota_us").is_file():
            return folder
    raise FileNotFoundError(f"no CPU controller below {root}: this needs Linux's control groups")


def _is_version_two(root: Path) -> bool:
    return (root / "cgroup.controllers").is_file()
