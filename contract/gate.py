"""The promotion gate's rule and its decisions, as they travel in specs, results and cards.

The rule is configuration; how each check is computed is trainer.gate.checks's business.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from contract.values import Record, Share, VersionNumber, now

CheckName = Literal[
    "classes",
    "enough_data",
    "accuracy",
    "class_floors",
    "corrections",
    "corrections_learned",
    "calibration",
    "size",
    "latency",
]


class GateRule(Record):
    """What a candidate must show before it may be published beside a stable version."""

    enabled: bool = True
    """False: every candidate is published; the checks are computed and recorded all the same."""
    tolerance: float = Field(default=0.01, gt=0.0, lt=1.0)
    """What the upper bound of the loss of accuracy against stable, on protected pictures, must stay below."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """Of that bound, one-sided: this share of candidates that lose exactly the tolerance is refused."""
    minimum_examples: int = Field(default=200, ge=1)
    """Protected pictures that there must be, and at least `minimum_class_examples` of each class."""
    minimum_class_examples: int = Field(default=10, ge=0)
    class_tolerance: Share = 0.1
    """How far the recall of any one class may fall below stable's."""
    corrections_share: Share = 0.5
    """The accuracy on corrections that were held out, as a share of the accuracy on protected pictures: below
    it the corrections contradict themselves, or could not be learned."""
    calibration_limit: Share = 0.05
    """The expected calibration error that is good enough; above it the candidate must not exceed stable's."""
    size_factor: float = Field(default=1.5, gt=0.0)
    """The version directory's bytes, as a multiple of stable's."""
    size_limit_bytes: int | None = Field(default=None, ge=1)
    """None: only the factor counts."""
    latency_factor: float = Field(default=1.5, gt=0.0)
    """Median milliseconds of one picture on the trainer's machine, as a multiple of stable's."""
    latency_limit_ms: float | None = Field(default=None, gt=0.0)


class GateCheck(Record):
    """One check of a decision."""

    name: CheckName
    passed: bool
    observed: float | None = None
    """None where there was nothing to observe; `sentence` says why."""
    limit: float | None = None
    sentence: str
    """What was found, against what, for people."""


class GateDecision(Record):
    """Why a candidate was published or refused, with every number."""

    passed: bool
    rule: GateRule
    compared_with: VersionNumber | None = None
    """The stable version; None when there was none, so that there was nothing to be worse than."""
    checks: list[GateCheck]
    decided_at: AwareDatetime = Field(default_factory=now)

    @property
    def failed(self) -> list[GateCheck]:
        """The checks that the candidate did not pass."""
        return [check for check in self.checks if not check.passed]
