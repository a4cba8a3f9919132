"""Predictions to sums, and sums to sums: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from contract.images import PixelStatistics
from contract.reference import CONFIDENCE_BINS
from gateway.ports.drift import FEATURES, Measured, Sums


def features_of(red: float, green: float, blue: float, contrast: float) -> tuple[float, float, float, float]:
    """FEATURES of a picture, or of means over pictures: they are linear."""
    return (red + green + blue) / 3, red - green, (red + green) / 2 - blue, contrast


def features_of_picture(found: PixelStatistics) -> tuple[float, float, float, float]:
    """The same from contract.images."""
    return features_of(found.red, found.green, found.blue, found.contrast)


def bin_of(confidence: float) -> int:
    """A score on an edge belongs to the bin above it, 1 to the last."""
    return max(0, min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1))


def summed(predictions: Iterable[Measured]) -> Sums:
    """Over predictions."""
    labels: Counter[str] = Counter()
    confidences = [0] * CONFIDENCE_BINS
    features = [0.0] * len(FEATURES)
    count = 0
    for one in predictions:
        count += 1
        labels[one.label] += 1
        confidences[bin_of(one.confidence)] += 1
        for place, value in enumerate(one.features):
            features[place] += value
    return Sums(count, labels, confidences, features)


def joined(one: Sums, other: Sums) -> Sums:
    """Of both."""
    if not one.predictions:
        return other
    if not other.predictions:
        return one
    return Sums(
        one.predictions + other.predictions,
        Counter(one.labels) + Counter(other.labels),
        [a + b for a, b in zip(one.confidences, other.confidences, strict=True)],
        [a + b for a, b in zip(one.features, other.features, strict=True)],
    )
