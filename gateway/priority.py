"""Predictions first: a gateway that only controls leaves the processor to those that predict."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
NICE = 10


def yield_to_others() -> None:
    """Take about a tenth of a contended processor.

    Linux shares the processor between sessions before it looks at the niceness of their threads
    (sched(7), "The autogroup feature"), so the session is made nicer, if it is this process's own. Under a
    container's CPU limits, which count instead, this changes nothing.
    """
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with suppress(OSError):
            AUTOGROUP.write_text(str(NICE))
