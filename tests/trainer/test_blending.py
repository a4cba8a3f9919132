"""A fine-tune ends as far from its parent as old pictures allow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from trainer.tuning.blending import HALVINGS, NEAREST, blend

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


FINENESS = (1 - NEAREST) / 2**HALVINGS


@pytest.mark.parametrize("farthest", [1.0, 0.4])
@pytest.mark.parametrize("lost_in_full", [0.0, 0.004])
def test_as_far_as_it_may_where_little_is_lost(lost_in_full: float, farthest: float) -> None:
    """Where the new examples ask for little, no farther, whatever the whole way would lose."""
    network = Network(lost_in_full)
    assert blend(network, [np.array([0.0])], network.accuracy, may_lose=0.005, farthest=farthest) == farthest
    assert network.weights[0][0] == pytest.approx(farthest * lost_in_full)


@pytest.mark.parametrize(
    ("lost_in_full", "farthest"), [(0.006, 1.0), (0.012, 1.0), (0.019, 1.0), (0.02, 0.4)]
)
def test_the_farthest_point_that_loses_little(lost_in_full: float, farthest: float) -> None:
    """Part of the way where the whole loses too much: to the floor, as finely as it is looked for."""
    network = Network(lost_in_full)
    share = blend(network, [np.array([0.0])], network.accuracy, may_lose=0.005, farthest=farthest)
    assert network.weights[0][0] == pytest.approx(share * lost_in_full)
    assert share * lost_in_full <= 0.005 < (share + FINENESS * farthest) * lost_in_full


@pytest.mark.parametrize("farthest", [1.0, 0.4])
def test_never_back_to_the_start(farthest: float) -> None:
    """Where even the nearest point loses too much, it is taken all the same: the gate decides."""
    network = Network(0.5)
    share = blend(network, [np.array([0.0])], network.accuracy, may_lose=0.005, farthest=farthest)
    assert share == NEAREST * farthest
    assert network.weights[0][0] == pytest.approx(share * 0.5)
