"""The trainer's command line, killed by SIGKILL at an exact moment.

    python dies_at.py EVENT PATTERN COUNT run --data …

EVENT is a CPython audit event (`open`, `os.rename`, `shutil.copytree`, …). The process kills itself the
COUNT-th time that such an event names a path that matches the shell PATTERN, before it takes place.
"""

from __future__ import annotations

import os
import signal
import sys
from fnmatch import fnmatch
from typing import Any


def arm(event: str, pattern: str, count: int) -> None:
    """Install the hook."""
    seen = 0

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if name == event and any(fnmatch(str(argument), pattern) for argument in arguments[:2]):
            seen += 1
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    from trainer.__main__ import main

    sys.exit(main(sys.argv[4:]))
