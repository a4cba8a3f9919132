"""How often a model may be trained: pure functions. The insert of a run asks them in its own transaction, so
that the button, the clock and the triggers all meet the same guard.

Moments come from the wall clock, which may jump. A run from the future counts as one of now: it never makes
anybody wait longer than the cool-down or a day. A clock that jumps forward lets runs start early, within what
the guard of one active run a model allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from gateway.errors import RunBudgetError, RunCooldownError
from gateway.ports.training import RecentRuns, RunLimits

SECOND = 1_000_000
DAY = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Allowance:
    """How a model stands."""

    used: int
    """Runs that began in the last 24 hours."""
    per_day: int
    """0: no limit."""
    next_at: int | None
    """When the next run may start, microseconds since 1970; None: now."""
    why: Literal["budget", "cooldown"] | None = None


def allowance_of(recent: RecentRuns, limits: RunLimits, now: int) -> Allowance:
    """What the limits leave."""
    began = [min(created, now) for created, _ in recent.moments if created >= now - DAY]
    waits: list[tuple[int, Literal["budget", "cooldown"]]] = []
    if limits.per_day and len(began) >= limits.per_day:
        waits.append((sorted(began)[-limits.per_day] + DAY, "budget"))
    if recent.moments and limits.cooldown_seconds:
        created, finished = recent.moments[0]
        waits.append((min(finished or created, now) + int(limits.cooldown_seconds * SECOND), "cooldown"))
    latest = max((wait for wait in waits if wait[0] > now), default=None)
    next_at, why = latest or (None, None)
    return Allowance(len(began), limits.per_day, next_at, why)


def check(recent: RecentRuns, limits: RunLimits, now: int) -> None:
    """Raises RunBudgetError, RunCooldownError."""
    found = allowance_of(recent, limits, now)
    if found.next_at is None:
        return
    when = datetime.fromtimestamp(found.next_at // SECOND, UTC).isoformat()
    seconds = (found.next_at - now) / SECOND
    if found.why == "budget":
        raise RunBudgetError(
            f"the model has had {found.used} training runs in 24 hours, and {limits.per_day} are allowed "
            f"(GATEWAY_TRAINING__RUNS_PER_DAY); the next may start at {when}",
            seconds,
        )
    raise RunCooldownError(
        f"the model's last training run has just ended; {limits.cooldown_seconds:g} s must lie between two "
        f"(GATEWAY_TRAINING__COOLDOWN_SECONDS); the next may start at {when}",
        seconds,
    )
