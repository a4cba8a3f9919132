"""Drift."""

from __future__ import annotations

from pydantic import Field

from gateway.settings.base import Group


class DriftSettings(Group):
    """Comparing what stable sees and answers with its card's reference profile."""

    enabled: bool = True
    window: int = Field(default=200, ge=50, le=100_000)
    """Predictions in one window, of all gateways together. A shift that begins anywhere fills a whole window
    within twice as many."""
    false_alarms: float = Field(default=0.0001, gt=0, le=0.05)
    """Share of undisturbed windows that may alarm: with 200 predictions in one, once in two million."""
    calm_windows: int = Field(default=5, ge=1)
    """So many windows below the threshold end an alarm."""
    images_per_second: float = Field(default=100.0, gt=0)
    """That each gateway measures at most, for about 0.1 ms each; the rest counts as dropped."""
    history_days: float = Field(default=14.0, gt=0)
    """How long scores are kept."""
