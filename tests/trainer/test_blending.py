"""A fine-tune ends as far from its parent as old pictures allow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from trainer.blending import SHARES, blend

pytestmark = pytest.mark.tensorflow


class Network:
    """One weight, by which old pictures are known the worse the larger it is."""

    def __init__(self, tuned: float) -> None:
        self.weights = [np.array([tuned])]

    def get_weights(self) -> list[npt.NDArray[np.float64]]:
        """As Keras'."""
        return self.weights

    def set_weights(self, weights: list[npt.NDArray[np.float64]]) -> None:
        """As Keras'."""
        self.weights = weights

    def accuracy(self) -> float:
        """0.9 with the weight of the start, 0."""
        return 0.9 - float(self.weights[0][0])


@pytest.mark.parametrize(
    ("lost_in_full", "share"), [(0.0, 1.0), (0.004, 1.0), (0.012, 0.4), (0.5, SHARES[-1])]
)
def test_the_farthest_point_that_loses_little(lost_in_full: float, share: float) -> None:
    """All the way where nothing is lost, part of it where something is, never back to the start."""
    network = Network(lost_in_full)
    assert blend(network, [np.array([0.0])], network.accuracy, may_lose=0.005) == share
    assert network.weights[0][0] == pytest.approx(share * lost_in_full)


@pytest.mark.parametrize(("lost_in_full", "share"), [(0.0, 0.4), (0.02, 0.4 * 0.6), (0.5, 0.4 * SHARES[-1])])
def test_no_farther_than_it_may(lost_in_full: float, share: float) -> None:
    """Where the new examples ask for little, the end of the way is not even tried, whatever it would lose."""
    network = Network(lost_in_full)
    assert blend(network, [np.array([0.0])], network.accuracy, may_lose=0.005, farthest=0.4) == share
    assert network.weights[0][0] == pytest.approx(share * lost_in_full)
