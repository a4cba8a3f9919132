"""Evaluating versions on uploaded pictures."""

from __future__ import annotations

from pydantic import Field

from gateway.settings.base import Group


class EvaluationSettings(Group):
    """What one evaluation may cost. How large an upload may be is `datasets`'s business."""

    max_pictures: int = Field(default=20_000, ge=1)
    load_seconds: float = Field(default=120.0, gt=0)
    """How long a version may take to be loaded for it."""
    batch_seconds: float = Field(default=30.0, gt=0)
    """Until 32 pictures are answered, beside everybody else's."""
