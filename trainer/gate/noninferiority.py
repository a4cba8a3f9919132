"""Is a candidate worse? Statistics of paired right and wrong answers on the same pictures.

Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", Statistics in Medicine 17 (1998): the score test of H0 "the loss is at least δ", inverted to a
one-sided upper bound of the loss. Unlike the difference over its standard error, it says something true of
small samples too: without a single changed answer the bound is z²/(n + z²), so that little data refuses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq  # type: ignore[import-untyped]
from scipy.stats import norm  # type: ignore[import-untyped]

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Paired:
    """Right answers of stable and candidate, picture by picture."""

    stable: Booleans
    candidate: Booleans

    def __len__(self) -> int:
        return len(self.stable)

    def where(self, chosen: Booleans) -> Paired:
        """Some of the pictures."""
        return Paired(self.stable[chosen], self.candidate[chosen])

    @property
    def lost(self) -> int:
        """Pictures that only stable has right."""
        return int((self.stable & ~self.candidate).sum())

    @property
    def won(self) -> int:
        """Pictures that only the candidate has right."""
        return int((~self.stable & self.candidate).sum())

    @property
    def loss(self) -> float:
        """Stable's accuracy minus the candidate's; 0 of no pictures."""
        return (self.lost - self.won) / len(self) if len(self) else 0.0


def upper_bound(paired: Paired, confidence: float) -> float:
    """The loss of accuracy, −1 to 1, that the true one exceeds with probability 1 − `confidence` at most."""
    if not len(paired):
        return 1.0
    z = float(norm.ppf(confidence))
    edge = 1e-12

    def excess(delta: float) -> float:
        return _score(paired, delta) + z

    if excess(1 - edge) > 0:
        return 1.0
    if excess(-1 + edge) < 0:
        return -1.0
    return float(brentq(excess, -1 + edge, 1 - edge, xtol=1e-9))


def _score(paired: Paired, delta: float) -> float:
    """Standard deviations by which the observed loss exceeds `delta`, with the variance under H0.

    q is the share of pictures that only the candidate has right, as the likelihood has it where the loss is
    exactly `delta`: the positive root of 2n·q² + (δ(2n − lost + won) − lost − won)·q − won·δ(1 − δ) = 0.
    """
    n, lost, won = len(paired), paired.lost, paired.won
    linear = delta * (2 * n - lost + won) - lost - won
    constant = -won * delta * (1 - delta)
    root = math.sqrt(max(0.0, linear**2 - 8 * n * constant))
    q = (root - linear) / (4 * n)
    variance = n * max(0.0, 2 * q + delta * (1 - delta))
    excess = lost - won - n * delta
    if variance == 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(variance)
