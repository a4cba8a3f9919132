"""How far from the parent a fine-tune ends: as far as the new pictures ask for, and the old ones allow.

Weights between the parent's and the tuned ones keep most of what either knows (Wortsman and others, "Robust
fine-tuning of zero-shot models", 2022). How far to go at most is trainer.tuning.need's business; up to there
the farthest point is taken at which old validation pictures do not lose more than they may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy.typing as npt

NEAREST = 0.25
"""Of the way that may be gone; taken where even it loses too much, and the gate decides."""
HALVINGS = 4
"""Of what lies between it and the whole way: to a twentieth."""

Weights = Sequence[npt.NDArray[Any]]


def blend(
    network: keras.Model,
    start: Weights,
    accuracy: Callable[[], float],
    may_lose: float,
    farthest: float = 1.0,
) -> float:
    """Leave the network at the farthest point that is good enough; the share of the tuned weights.

    Args:
        network: tuned.
        start: its weights before.
        accuracy: of the network as it is at the moment, on old validation pictures; it falls along the way.
        may_lose: of that accuracy, against `start`.
        farthest: the largest share of the tuned weights.
    """
    tuned = network.get_weights()

    def move_to(share: float) -> None:
        network.set_weights([(1 - share) * old + share * new for old, new in zip(start, tuned, strict=True)])

    move_to(0.0)
    floor = accuracy() - may_lose
    move_to(farthest)
    if accuracy() >= floor:
        return farthest
    good, bad = NEAREST * farthest, farthest
    for _ in range(HALVINGS):
        middle = (good + bad) / 2
        move_to(middle)
        good, bad = (middle, bad) if accuracy() >= floor else (good, middle)
    move_to(good)
    return good
