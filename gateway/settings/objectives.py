"""What the service promises. The dashboard shows it; the chart's alert rules watch the same."""

from __future__ import annotations

from pydantic import Field

from gateway.settings.base import Group


class ObjectiveSettings(Group):
    """Over 30 days. Whoever changes it here also changes the chart's `monitoring/rules/objectives.yaml`."""

    availability: float = Field(default=0.999, gt=0, lt=1)
    """The share of predictions that do not end with a 5xx."""
