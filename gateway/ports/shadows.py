"""What a shadow version answered beside stable: counts, and the predictions on which they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """Comparisons of one minute with one pair of answers."""

    minute: int
    """Minutes since 1970, UTC."""
    model: str
    stable: int
    shadow: int
    label: str
    """Stable's answer; empty where the shadow gave none."""
    shadow_label: str
    comparisons: int
    difference_sum: float
    """Of |score − score'| of stable's label."""
    stable_milliseconds_sum: float
    shadow_milliseconds_sum: float
    failures: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One prediction that the shadow answered otherwise."""

    prediction_id: str
    at: int
    """Microseconds since 1970, UTC."""
    model: str
    stable: int
    shadow: int
    label: str
    score: float
    shadow_label: str
    shadow_score: float


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What people said about predictions on which the two disagreed."""

    stable_right: int
    shadow_right: int
    neither: int


class ShadowStore(Protocol):
    """Every method raises DatabaseError when the database cannot be asked."""

    async def save(self, counts: Sequence[ShadowCount], disagreements: Sequence[Disagreement]) -> None:
        """Add the counts to what is there, and the disagreements."""

    async def totals(self, model: str, shadow: int, since: int) -> list[ShadowCount]:
        """From minute `since` on, summed over the minutes (`minute` is `since`) and stable versions."""

    async def latest(self, model: str, shadow: int, limit: int) -> list[Disagreement]:
        """The newest disagreements."""

    async def verdicts(self, model: str, shadow: int) -> Verdicts:
        """By the feedback on the predictions."""

    async def forget(self, before: int) -> None:
        """Delete what is older than `before`, microseconds since 1970."""
