"""Under which name this process holds leases."""

from __future__ import annotations

import os
import socket
from uuid import uuid4


def holder_name() -> str:
    """A new one each time. Machine and process are for people; a restarted container may have both again."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid4().hex[:8]}"
