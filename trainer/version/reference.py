"""The reference profile of a version, from which drift is measured; plain numbers, for a gateway."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contract import images
from contract.reference import CONFIDENCE_BINS, QUANTILES, SAMPLE_ROWS, ReferenceProfile, ReferenceSample
from trainer.arrays import FloatArray
from trainer.dataset.reading import Examples

DECIMALS = 5
"""Kept of each number: a card is read at every start of a gateway."""


def profile_of(
    split: str,
    labels: Sequence[str],
    examples: Examples,
    probabilities: FloatArray,
    embedding_mean: Sequence[float] | None = None,
    seed: int = 0,
) -> ReferenceProfile:
    """Of held-out pictures and a version's answers to them; at least one picture."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1).clip(0, 1)
    pixels = _pixel_statistics(examples.images)
    shares = np.bincount(predicted, minlength=len(labels)) / len(predicted)
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    colours = examples.images.reshape(-1, 3)
    rows = np.random.default_rng(seed).permutation(len(predicted))[:SAMPLE_ROWS]
    return ReferenceProfile(
        split=split,
        examples=len(predicted),
        class_shares=dict(zip(labels, _plain(shares), strict=True)),
        confidence_counts=np.bincount(bins, minlength=CONFIDENCE_BINS).tolist(),
        channel_means=_plain(colours.mean(axis=0, dtype=np.float64)),
        channel_deviations=_plain(colours.std(axis=0, dtype=np.float64)),
        brightness_quantiles=_plain(np.quantile(pixels[:, 3], QUANTILES)),
        contrast_quantiles=_plain(np.quantile(pixels[:, 4], QUANTILES)),
        embedding_mean=None if embedding_mean is None else _plain(np.asarray(embedding_mean)),
        sample=ReferenceSample(
            label=predicted[rows].tolist(),
            confidence=_plain(confidence[rows]),
            red=_plain(pixels[rows, 0]),
            green=_plain(pixels[rows, 1]),
            blue=_plain(pixels[rows, 2]),
            contrast=_plain(pixels[rows, 4]),
        ),
    )


def _pixel_statistics(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """[N, 5]: red, green, blue, brightness, contrast of each, by the function that the gateway calls."""
    _, height, width, _ = pictures.shape
    found = (images.statistics_of(picture.tobytes(), height, width) for picture in pictures)
    return np.array([(one.red, one.green, one.blue, one.brightness, one.contrast) for one in found])


def _plain(values: npt.NDArray[np.floating]) -> list[float]:
    return [round(float(value), DECIMALS) for value in values]
