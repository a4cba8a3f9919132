"""How far a fine-tune may go from its parent: as far as the new examples show that it must.

A few hundred new pictures that the parent recognises as well as others tell it little. Following them all the
way would move many answers by what is peculiar to those few, and the more answers move, the less sure it is
that none was lost. Where they are recognised worse than chance explains, something has changed, and there
the way is free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm  # type: ignore[import-untyped]

from trainer.gate.noninferiority import Booleans

LEAST_FARTHEST = 0.4
"""Of the way to the tuned weights, where nothing shows that the parent is worse on new examples: less than
half of the answers move that move at its end, and the first part of the way teaches most."""
CONFIDENCE = 0.95
"""One-sided: in so many of 100 cases without a change the need is 0."""


@dataclass(frozen=True)
class Recognised:
    """Whether the parent is right on each of some pictures."""

    new: Booleans
    """New examples of classes that it knows."""
    old: Booleans
    """Like those that it was made with, but not the very ones, which it knows better than any others."""
    is_each_known: bool
    """No new example is of a class that it does not know."""

    @property
    def need(self) -> float:
        """0–1. A class that it cannot name needs all of the way, whatever the other examples say."""
        return beyond_chance(self.new, self.old) if self.is_each_known else 1.0

    @property
    def is_clearly_worse(self) -> bool:
        """On new examples of classes that it knows."""
        return beyond_chance(self.new, self.old) > 0


def beyond_chance(on_new: Booleans, on_old: Booleans) -> float:
    """0–1: the part of what the parent recognises worse that chance does not explain.

    The squared gap between the two accuracies is shrunk by what chance gives, 1 − (z/Z)², as James and Stein
    shrink a mean ("Estimation with quadratic loss", 1961); Z is the gap in standard errors of the two-sample
    test of proportions, z its critical value. So it is 0 until the test sees a gap, and grows smoothly to 1.
    """
    if not len(on_new) or not len(on_old):
        return 0.0
    gap = float(on_old.mean() - on_new.mean())
    pooled = float(on_new.sum() + on_old.sum()) / (len(on_new) + len(on_old))
    error = math.sqrt(pooled * (1 - pooled) * (1 / len(on_new) + 1 / len(on_old)))
    by_chance = float(norm.ppf(CONFIDENCE)) * error
    return 1 - (by_chance / gap) ** 2 if gap > by_chance else 0.0


def farthest(need: float) -> float:
    """The share of the way that a need of 0–1 allows."""
    return LEAST_FARTHEST + (1 - LEAST_FARTHEST) * need
