"""Random ids: 128 bits in hexadecimal, from one read of the kernel's randomness for many.

A prediction needs two; a system call for each was a tenth of what the event loop spent under load.
"""

from __future__ import annotations

import os
from collections import deque

BYTES = 16
AT_ONCE = 256

_ready: deque[str] = deque()


def new_id() -> str:
    """32 hexadecimal digits that nobody else has."""
    while True:
        try:
            return _ready.pop()
        except IndexError:
            fresh = os.urandom(BYTES * AT_ONCE).hex()
            _ready.extend(fresh[at : at + 2 * BYTES] for at in range(0, len(fresh), 2 * BYTES))
