"""Publishes once per file operation, and ends or breaks the publication at that very operation.

Started as `python dies_at_step.py CANDIDATE FOLDER kill|full`. Each attempt is a forked process with a model
store of its own, FOLDER/<step>; Python's audit events, raised before every open, mkdir, rename and remove,
count the steps. Prints the number of steps; after the last one the publication succeeds.
"""

import errno
import os
import signal
import sys
from pathlib import Path

from contract.layout import ModelPaths, publish

OPERATIONS = ("open", "os.", "shutil.", "tempfile.")


def attempt(candidate: Path, store: Path, step: int, how: str) -> int:
    """Exit status of one attempt: 0 published, 1 raised; negative: the signal that ended it."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = step

    def at_operation(event: str, arguments: object) -> None:
        nonlocal left
        if not event.startswith(OPERATIONS):
            return
        left -= 1
        if left == 0 and how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.addaudithook(at_operation)
    try:
        publish(candidate, ModelPaths(store, "pets"), "run-1")
    except OSError:
        os._exit(1)
    os._exit(0 if left > 0 else 2)


def main() -> None:
    """Try every step until one lies behind the end."""
    candidate, folder, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    for step in range(1, 1000):
        if attempt(candidate, folder / str(step), step, how) == 0:
            print(step - 1)
            return
    sys.exit("a thousand steps, and no end")


main()
