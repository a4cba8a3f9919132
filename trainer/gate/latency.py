"""Milliseconds of one picture on this machine, of two versions by turns, so that a disturbance hits both."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import numpy as np

from contract.image_spec import ImageSpec
from trainer.gate.checks import Measured
from trainer.version.served import SavedVersion

ROUNDS = 60
WARM_UP = 10


def compare(
    stable: SavedVersion, stable_image: ImageSpec, candidate: SavedVersion, candidate_image: ImageSpec
) -> Measured:
    """Median milliseconds of `serving_default` at batch 1."""
    versions = [(stable, _black(stable_image)), (candidate, _black(candidate_image))]
    times: list[list[float]] = [[], []]
    for turn in range(WARM_UP + ROUNDS):
        for (version, picture), taken in zip(versions, times, strict=True):
            started = perf_counter()
            version.probabilities(picture)
            if turn >= WARM_UP:
                taken.append((perf_counter() - started) * 1000)
    return Measured(*map(median, times))


def _black(image: ImageSpec) -> np.ndarray:
    return np.zeros((1, image.height, image.width, 3), np.uint8)
