"""Equal seeds give equal weights: two whole runs in two processes, compared bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Workshop

from contract.card import ModelCard

pytestmark = pytest.mark.tensorflow


def _weights(shop: Workshop, version: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    import keras

    path: Path = shop.model.version(version) / "model.keras"
    weights: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = keras.saving.load_model(
        path, compile=False
    ).get_weights()
    return weights


def test_the_same_seed_twice_gives_the_same_weights(workshop: Workshop) -> None:
    """Every weight and the temperature are equal to the last bit; with another seed they are not."""
    for run_id, seed in (("one", "4"), ("two", "4"), ("three", "5")):
        code, output = workshop.call(*workshop.run_arguments(run_id, "--seed", seed, "--epochs", "3"))
        assert code == 0, output
    first, again, other = (_weights(workshop, version) for version in (1, 2, 3))
    for ours, theirs in zip(first, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any((ours != theirs).any() for ours, theirs in zip(first, other, strict=True))
    cards = [
        ModelCard.model_validate_json(workshop.model.card(version).read_bytes()) for version in (1, 2, 3)
    ]
    assert cards[0].temperature == cards[1].temperature != cards[2].temperature
    assert cards[0].test == cards[1].test
