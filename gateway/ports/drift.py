"""Drift: sums over live predictions, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.ports.serving import ServedVersion

FEATURES = ("brightness", "red_green", "yellow_blue", "contrast")
"""Of one picture: the mean of its channels; red minus green; their mean minus blue; the deviation of its
luminance. Opponent colours, because the channels themselves say nearly the same three times."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One prediction."""

    label: str
    confidence: float
    features: tuple[float, float, float, float]
    """FEATURES."""


@dataclass(frozen=True)
class Sums:
    """Over some predictions."""

    predictions: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    confidences: Sequence[int] = ()
    """In contract.reference's bins."""
    features: Sequence[float] = ()

    def as_json(self) -> dict[str, Any]:
        """For a JSON column."""
        return {
            "predictions": self.predictions,
            "labels": dict(self.labels),
            "confidences": list(self.confidences),
            "features": list(self.features),
        }


@dataclass(frozen=True, slots=True)
class Block:
    """What one gateway has summed up; written once, never changed."""

    id: str
    at: int
    model: str
    version: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Window:
    """A full window and its score."""

    id: str
    at: int
    model: str
    version: int
    predictions: int
    score: float
    """At 1 it is as far from the reference as one window in `1 / drift.false_alarms` by chance."""
    parts: Mapping[str, float]
    """The score by what it was computed from: classes, confidence, pixels."""


@dataclass(frozen=True, slots=True)
class DriftState:
    """Where one version stands."""

    model: str
    version: int
    sums: Sums = Sums()
    """Of the window that fills."""
    is_alarmed: bool = False
    since: int | None = None
    """Of the alarm."""
    calm_windows: int = 0
    """Below the threshold since the last one above it."""


Fold = Callable[[DriftState, Sequence[Block]], tuple[DriftState, Sequence[Window]]]


class DriftStore(Protocol):
    """The database's part. Every method raises DatabaseError when it cannot be asked."""

    async def save(self, blocks: Sequence[Block]) -> None:
        """Keep blocks; what is there already (by id) is left as it is."""

    async def take(self, model: str, version: int, fold: Fold) -> tuple[DriftState, Sequence[Window]]:
        """Fold the blocks that wait into the state, keep the windows that became full, delete the blocks: in
        one transaction, so that each block counts once whoever else tries."""

    async def state(self, model: str, version: int) -> DriftState:
        """As it was left; a new one for a version that has none."""

    async def standing(self, model: str, version: int, limit: int) -> tuple[DriftState, list[Window]]:
        """The state, and the newest windows, newest first: no window of which the state does not know."""

    async def forget(self, before: int) -> None:
        """Delete windows, and blocks that nobody took, that are older."""


class Watcher(Protocol):
    """Is offered what stable has answered. Costs microseconds and never raises."""

    def offer(self, served: ServedVersion, pixels: Sequence[bytes], rows: Sequence[Sequence[float]]) -> None:
        """`pixels`: each uint8, [height, width, 3], as the version saw it; `rows`: its scores."""
