"""Ends the children if the supervisor dies without a word.

A supervisor that is killed (SIGKILL, out of memory) cannot stop anything. So it holds the one end of a pipe
whose other end is this process's standard input: a line names a process group to end, a line with a minus
one that has ended, and the end of file means that the supervisor is gone. The same on Linux and macOS.
Run as a file, not as a module, so that it starts in milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""


def remaining_groups(lines: Iterable[str]) -> set[int]:
    """The process groups that were named and not taken back when the lines end."""
    groups: set[int] = set()
    for line in lines:
        number = int(line)
        if number > 0:
            groups.add(number)
        else:
            groups.discard(-number)
    return groups


def end_groups(groups: set[int], grace_seconds: float = GRACE_SECONDS) -> None:
    """SIGTERM to each group, then SIGKILL to what is left after the grace period."""
    alive = {group for group in groups if _signalled(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_seconds
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = {group for group in alive if _signalled(group, 0)}
    for group in alive:
        _signalled(group, signal.SIGKILL)


def _signalled(group: int, number: int) -> bool:
    """Send a signal to a group (0 only looks); False when no process of it is left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS: a group of zombies gives EPERM
        return False
    return True


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    end_groups(remaining_groups(sys.stdin))
