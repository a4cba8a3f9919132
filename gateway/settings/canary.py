"""Canaries: how they begin, and when they are promoted or rolled back by themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.base import Group


class CanarySettings(Group):
    """How a canary is watched. Odds are hits over the rest; false alarms are the chance that a canary which
    is not worse is ever rolled back, however long it is watched."""

    on_publish: Literal["wait", "canary"] = "wait"
    """What happens to a version that a run has published while the model's policy is `gated`: it waits for an
    operator, or becomes the canary at once, with `share`."""
    share: float = Field(default=0.1, gt=0, lt=1)
    rollback: bool = True
    """End a worse canary without asking; false: only tell."""
    promote: bool = True
    """Make a canary stable that has shown enough; false: only tell."""
    step_seconds: float = Field(default=1.0, gt=0)
    """Interval in which each gateway writes its evidence; one of them judges it every
    `training.poll_seconds`."""
    error_false_alarms: float = Field(default=0.005, gt=0, lt=1)
    latency_false_alarms: float = Field(default=0.005, gt=0, lt=1)
    accuracy_false_alarms: float = Field(default=0.04, gt=0, lt=1)
    """Together 5 %. Accuracy has most of it: a fifth of a tenth of the answers is little to go by."""
    error_odds: float = Field(default=2.0, ge=1)
    """Times stable's odds of a failed call that are tolerated."""
    slow_factor: float = Field(default=1.5, ge=1)
    """A call is slow beyond this many times stable's 95th percentile of calls with as many images."""
    slow_odds: float = Field(default=2.0, ge=1)
    """Times stable's odds of a slow call that are tolerated."""
    wrong_odds: float = Field(default=1.0, ge=1)
    """Times stable's odds of a wrong answer, by feedback, that are tolerated: 1.25 tolerates 11 % wrong
    answers where stable has 9 %."""
    promote_after_seconds: float = Field(default=600.0, ge=0)
    """Watched for at least so long, by a clock that does not jump."""
    promote_calls: int = Field(default=1000, ge=1)
    """Calls that the canary must have answered."""
    promote_feedback: int = Field(default=300, ge=0)
    """Answers of the canary with feedback; 0: it may be promoted without any."""
    promote_confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """That the canary is not worse by more than the margins, at whatever moment it is promoted."""
    error_margin: float = Field(default=0.01, gt=0, lt=1)
    slow_margin: float = Field(default=0.05, gt=0, lt=1)
    wrong_margin: float = Field(default=0.05, gt=0, lt=1)
    """Points of failed calls, slow calls and wrong answers. Smaller ones need more feedback: about 1,100
    canary answers for 0.05 where stable is right in 91 of 100."""
    patience_hours: float = Field(default=24.0, gt=0)
    """A canary that is undecided after so long is told of, once; it stays."""
