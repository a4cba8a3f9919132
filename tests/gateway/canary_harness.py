"""What the tests of canaries share: trials in a real database, and a store in memory behind a rollout."""

from __future__ import annotations

import random
from collections.abc import Sequence
from uuid import uuid4

from gateway.canary.judging import folded, verdict_of
from gateway.ports.canary import Arms, Evidence, Table, Trial
from gateway.settings import CanarySettings

ARMS = Arms("shades", 1, 2)


def evidence(arms: Arms = ARMS, **blocks: Sequence[Table] | Table) -> Evidence:
    """One row."""
    tables = {name: [found] if isinstance(found, Table) else list(found) for name, found in blocks.items()}
    return Evidence(uuid4().hex, 0, arms, tables)  # type: ignore[arg-type]


def drawn(chance: random.Random, canary: int, canary_rate: float, stable: int, stable_rate: float) -> Table:
    """A block by chance."""
    hits = [
        sum(chance.random() < rate for _ in range(count))
        for count, rate in ((canary, canary_rate), (stable, stable_rate))
    ]
    return Table(canary, hits[0], stable, hits[1])


def trial_of(settings: CanarySettings, rows: Sequence[Evidence], seconds: float = 0.0) -> Trial:
    """A trial with this evidence."""
    return folded(Trial("0" * 32, ARMS, 0), rows, seconds, settings)


def step_of(settings: CanarySettings, rows: Sequence[Evidence], seconds: float = 0.0) -> str:
    """What follows from it."""
    return verdict_of(trial_of(settings, rows, seconds), settings).step
