"""What every answer of the gateway has in common: it is frozen, and ignores what a newer gateway adds.

The answers themselves stand in the other files of this package, one subject each.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")
