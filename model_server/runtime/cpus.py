"""How many CPUs this process may use: what the scheduler lets it run on, and the container's quota.

TensorFlow sizes its thread pools by the host's cores; under a quota that means throttling.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from model_server.runtime import cgroups


def thread_count() -> int:
    """CPUs to use, at least 1: a quota of 1.5 CPUs gives 2 threads."""
    limit = cpu_quota()
    return max(1, math.ceil(min(limit, schedulable_cpus())))


def schedulable_cpus() -> int:
    """CPUs that the scheduler may use for this process (cpusets and taskset included)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = cgroups.ROOT, membership: Path = cgroups.MEMBERSHIP) -> float:
    """The tightest CPU quota of this process' control group and its ancestors; infinity without one."""
    quotas = [_version_two(folder) for folder in cgroups.ancestors(root, cgroups.group(membership, ""))]
    group = cgroups.group(membership, "cpu")
    for controller in ("cpu", "cpu,cpuacct"):
        quotas += [_version_one(folder) for folder in cgroups.ancestors(root / controller, group)]
    return min(quotas)


def _version_two(folder: Path) -> float:
    """cpu.max holds `max 100000`, or microseconds of CPU time a period: `50000 100000`."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return math.inf if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _version_one(folder: Path) -> float:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
