"""How far from the parent a fine-tune ends: as far as the new pictures ask for, and the old ones allow.

Weights between the parent's and the tuned ones keep most of what either knows (Wortsman and others, "Robust
fine-tuning of zero-shot models", 2022). How far to go at most is trainer.need's business; up to there the
farthest point is taken at which old validation pictures do not lose more than they may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy.typing as npt

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.25)
"""Of the way that may be gone; the last is taken where even it loses too much, and the gate decides."""

Weights = Sequence[npt.NDArray[Any]]


def blend(
    network: keras.Model,
    start: Weights,
    accuracy: Callable[[], float],
    may_lose: float,
    farthest: float = 1.0,
) -> float:
    """Leave the network at the farthest of SHARES that is good enough; the share of the tuned weights.

    Args:
        network: tuned.
        start: its weights before.
        accuracy: of the network as it is at the moment, on old validation pictures.
        may_lose: of that accuracy, against `start`.
        farthest: the share of the tuned weights at which SHARES begin.
    """
    tuned = network.get_weights()
    network.set_weights(start)
    floor = accuracy() - may_lose
    for share in (farthest * part for part in SHARES):
        network.set_weights([(1 - share) * old + share * new for old, new in zip(start, tuned, strict=True)])
        if accuracy() >= floor:
            break
    return share
