"""Moments as the database keeps them."""

from __future__ import annotations

import math

from contract.values import now


def microseconds_now() -> int:
    """Microseconds since 1970, UTC."""
    return math.floor(now().timestamp() * 1_000_000)
