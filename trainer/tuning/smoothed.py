"""Accuracy without its step: what a few pictures tell of a small loss.

Whether an answer is right is a step at margin 0. Of two networks that differ little, the few pictures that
change sides decide, and whether they do is mostly chance. Here the step is blurred by a normal distribution,
so that each picture counts by how clearly it is right: the loss is about the same, its standard error half.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm  # type: ignore[import-untyped]

from trainer.arrays import FloatArray

BLUR = 0.4
"""Of the median distance of the margins from 0: a network that is less sure of everything loses nothing."""


def smoothed_accuracy(logits: FloatArray, truth: npt.NDArray[np.int64]) -> float:
    """The mean of Φ(margin / deviation), 0–1; the margin is the true class's logit less the best other's.

    Args:
        logits: [N, classes], N at least 1.
        truth: [N], the classes.
    """
    rows = np.arange(len(truth))
    others = logits.astype(np.float64)
    others[rows, truth] = -np.inf
    margins = logits[rows, truth] - others.max(axis=1)
    deviation = BLUR * float(np.median(np.abs(margins)))
    return float(norm.cdf(margins / max(deviation, np.finfo(np.float64).tiny)).mean())
