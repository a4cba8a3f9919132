"""Loads that change, as functions of time alone: which share of the users is there. shapes.py gives them to
Locust.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

STEPS = 5


def ramp(progress: float) -> float:
    """From none to all, and no way back: where does it begin to hurt?"""
    return progress


def steps(progress: float) -> float:
    """Five plateaus, each long enough to settle."""
    return math.ceil(max(progress, 1e-9) * STEPS) / STEPS


def spike(progress: float) -> float:
    """A tenth, then all at once for the middle third, then a tenth: does it recover?"""
    return 1.0 if 1 / 3 <= progress < 2 / 3 else 0.1


def day(progress: float) -> float:
    """One slow wave, as from night to night: does the autoscaler follow?"""
    return 0.1 + 0.9 * (1 - math.cos(2 * math.pi * progress)) / 2


SHAPES: Mapping[str, Callable[[float], float]] = {"ramp": ramp, "steps": steps, "spike": spike, "day": day}
"""Name → the share of the users (0–1) at each share of the run time (0–1)."""


def users_at(shape: str, seconds: float, run_seconds: float, users: int) -> int | None:
    """How many users there are after so many seconds; None at the end."""
    if seconds >= run_seconds:
        return None
    return max(1, round(users * SHAPES[shape](seconds / run_seconds)))
