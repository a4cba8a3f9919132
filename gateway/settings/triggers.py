"""Training runs that start by themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.base import Group


class TriggerSettings(Group):
    """What starts a run beside people and schedules. Budget and cool-down of `training` hold for all."""

    corrections: int = Field(default=0, ge=0)
    """A run of a model starts after so many corrections since its last run began; 0: never."""
    drift: bool = False
    """A run of a model starts when its drift alarm begins."""
    poll_seconds: float = Field(default=15.0, gt=0)
    """Interval in which corrections are counted."""
    preset: Literal["tiny", "default", "best"] = "default"
    base: Literal["dataset", "none"] = "dataset"
