"""How far a share may be trusted."""

from __future__ import annotations

import math

Z_95 = 1.959964
"""The standard normal's 97.5 % point."""


def wilson(right: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """The 95 % interval of a share by its score test (E. B. Wilson, JASA 22, 1927, 209–212); 0–1 for none."""
    if not count:
        return 0.0, 1.0
    share, square = right / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count * count)) * z / (1 + square / count)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def sign_test(one: int, other: int) -> float:
    """How likely it is that of `one` + `other` fair throws the split is at least as uneven; two-sided, exact.

    McNemar's test of paired answers in its exact form (Q. McNemar, Psychometrika 12, 1947, 153–157).
    """
    count, fewer = one + other, min(one, other)
    tail: float = sum(math.comb(count, successes) for successes in range(fewer + 1)) / 2**count
    return min(1.0, 2 * tail)
