"""The bound that the gate is decided by: right by simulation, and hard to please with little data."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.gate.noninferiority import Paired, upper_bound


def paired(count: int, lost: int, won: int) -> Paired:
    """`lost` pictures that only stable has right, `won` that only the candidate has; the rest both."""
    stable, candidate = np.ones(count, bool), np.ones(count, bool)
    candidate[:lost] = False
    stable[lost : lost + won] = False
    return Paired(stable, candidate)


def test_without_a_changed_answer_the_bound_is_known() -> None:
    """z²/(n + z²): 300 pictures are needed for a tolerance of one point."""
    z = 1.6448536269514722
    for count in (10, 200, 300):
        assert upper_bound(paired(count, 0, 0), 0.95) == pytest.approx(z**2 / (count + z**2), abs=1e-7)
    assert upper_bound(paired(200, 0, 0), 0.95) > 0.01 > upper_bound(paired(300, 0, 0), 0.95)


def test_no_pictures_say_nothing() -> None:
    """Of nothing the loss may be everything."""
    assert upper_bound(paired(0, 0, 0), 0.95) == 1.0
    assert upper_bound(paired(10, 10, 0), 0.95) == 1.0


def test_large_samples_agree_with_the_normal_approximation() -> None:
    """5,000 pictures, 150 lost and 100 won: the loss and 1.645 standard errors."""
    lost, won, count = 150, 100, 5000
    loss = (lost - won) / count
    error = np.sqrt((lost + won) / count - loss**2) / np.sqrt(count)
    assert upper_bound(paired(count, lost, won), 0.95) == pytest.approx(loss + 1.645 * error, abs=5e-4)


@pytest.mark.parametrize(("count", "changed"), [(200, 0.05), (2000, 0.11), (5000, 0.19)])
def test_a_candidate_that_loses_the_tolerance_is_refused_as_often_as_stated(
    count: int, changed: float
) -> None:
    """At a true loss of exactly one point, about one in twenty passes."""
    lost, won = (changed + 0.01) / 2, (changed - 0.01) / 2
    draws = np.random.default_rng(1).multinomial(count, [lost, won, 1 - changed], 4000)
    passes = [upper_bound(paired(count, a, b), 0.95) < 0.01 for a, b, _ in np.unique(draws, axis=0)]
    _, how_often = np.unique(draws, axis=0, return_counts=True)
    share = float(np.average(passes, weights=how_often))
    assert 0.03 < share < 0.06
