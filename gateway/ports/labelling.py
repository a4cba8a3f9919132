"""What waits for a person to say what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.ports.history import PredictionRow

Measure = Literal["entropy", "margin"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Predictions with a kept picture, without feedback, not put aside."""

    model: str
    since: int
    """Microseconds since 1970: none that are older."""


class LabellingStore(Protocol):
    """Every method raises DatabaseError when the database cannot be asked."""

    async def most_uncertain(self, waiting: Waiting, by: Measure, limit: int) -> Sequence[PredictionRow]:
        """Those with the highest entropy, or the lowest margin, first."""

    async def count(self, waiting: Waiting, limit: int) -> int:
        """How many wait; counting stops at `limit`."""

    async def corrections(self, model: str, since: int) -> int:
        """Feedback given since that moment."""

    async def put_aside(self, prediction_id: str, caller: str | None) -> bool:
        """`caller` does not want to label it; None: it waits again. False when there is none of that id."""
