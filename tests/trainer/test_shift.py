"""A change of all pictures is measured from labelled ones, whatever it is, and from nothing else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from trainer.tuning.shift import estimate

Pictures = npt.NDArray[np.uint8]
SIDE = 16
CENTRES = np.array([[210, 90, 60], [60, 170, 80], [90, 80, 200], [220, 210, 120]], float)


def draw(count: int, seed: int) -> tuple[Pictures, npt.NDArray[np.int64]]:
    """Squares of four colours with a bright stripe; as in photographs, brightness varies most."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, len(CENTRES), count)
    noise = random.normal(0, 5, (count, SIDE, SIDE, 3)) * [1, 2, 4]
    noise += random.normal(0, 50, (count, SIDE, SIDE, 1)) * [1, 1, 0.8]
    pictures = CENTRES[truth][:, None, None, :] * 0.8 + noise
    pictures[:, 4:7] += 40
    return pictures.clip(0, 255).astype(np.uint8), truth.astype(np.int64)


def answer(pictures: Pictures) -> npt.NDArray[np.float32]:
    """The nearest colour, as logits."""
    means = pictures.astype(float).mean(axis=(1, 2))
    distances = ((means[:, None] - CENTRES[None] * 0.8) ** 2).sum(axis=2)
    return (-distances / 500).astype(np.float32)


def blurred(pictures: Pictures) -> Pictures:
    """As by a lens that is out of focus."""
    filtered = [Image.fromarray(one).filter(ImageFilter.GaussianBlur(1.0)) for one in pictures]
    return np.stack([np.asarray(one) for one in filtered])


@pytest.mark.parametrize("change", [lambda x: 255 - x, lambda x: x[..., [2, 0, 1]], lambda x: x // 2 + 60])
def test_a_change_of_the_colours_is_found(change: object) -> None:
    """Old pictures, changed by the estimate, look as the same pictures truly changed."""
    new, truth = draw(400, seed=1)
    old, _ = draw(400, seed=2)
    shift = estimate(change(new), truth, old, answer)  # type: ignore[operator]
    assert shift is not None
    truly = change(old).astype(float)  # type: ignore[operator]
    assert np.abs(shift.apply(old).astype(float).mean((1, 2)) - truly.mean((1, 2))).mean() < 8


def test_a_blur_is_found() -> None:
    """The highest frequencies lose as much as the blur takes."""
    new, truth = draw(400, seed=1)
    old, _ = draw(400, seed=2)
    shift = estimate(blurred(new), truth, old, answer)
    assert shift is not None
    sharpness = [np.diff(x.astype(float), axis=2).std() for x in (old, shift.apply(old), blurred(old))]
    assert sharpness[1] == pytest.approx(sharpness[2], rel=0.2)
    assert sharpness[1] < 0.6 * sharpness[0]


def test_a_blur_is_found_where_opposite_borders_differ() -> None:
    """As in most photographs, light on one side: the jump from one border to the other is no detail."""
    light = np.linspace(-60, 60, SIDE)[None, :, None, None] * np.ones((1, 1, SIDE, 3))
    (new, truth), (old, _) = draw(400, seed=1), draw(400, seed=2)
    new, old = ((x * 0.4 + 70 + light).clip(0, 255).astype(np.uint8) for x in (new, old))
    shift = estimate(blurred(new), truth, old, answer)
    assert shift is not None
    assert shift.gains[-4:].mean() < 0.2


def test_without_a_change_nothing_changes() -> None:
    """The estimate leaves pictures nearly as they are."""
    new, truth = draw(400, seed=1)
    old, _ = draw(400, seed=2)
    shift = estimate(new, truth, old, answer)
    assert shift is not None
    assert np.abs(shift.apply(old).astype(float) - old).mean() < 6


def test_a_few_examples_measure_nothing() -> None:
    """Below a hundred there is no estimate."""
    new, truth = draw(99, seed=1)
    assert estimate(new, truth, draw(400, seed=2)[0], answer) is None
