"""How far a window of predictions is from the version's reference profile, and from where on that is drift.

Three statistics of a window: Pearson's χ² of the predicted classes, the same of the confidences, and the sum
of the squared z-values of four means over the pictures. Each is divided by its threshold; the score is the
largest. The thresholds come from resampling: windows drawn with replacement from the rows of the profile's
sample, whole rows, so that what belongs together stays together. The wanted rate lies beyond what a few
thousand windows show, so the tail above their 95th percentile is taken as exponential, whose excess has the
observed mean (the simplest form of peaks over a threshold: J. Pickands, Annals of Statistics 3, 1975,
119–131). χ² tails fall faster, so the stated rate is a bound.

The gateway calibrates when it first sees a version, in a third of a second, and not the trainer: the rate and
the size of a window are settings here, and a card that was written yesterday need not know of them.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.reference import ReferenceProfile
from gateway.drift.sums import features_of, summed
from gateway.ports.drift import FEATURES, Measured, Sums

PARTS = ("classes", "confidence", "pixels")
RESAMPLED_WINDOWS = 2000
TAIL = 0.05
LEAST_EXPECTED = 5.0
"""In one cell of a χ²; rarer cells are joined, as is usual."""


@dataclass(frozen=True)
class Reference:
    """A profile, ready to be compared with."""

    class_cells: Mapping[str, int]
    class_shares: Sequence[float]
    confidence_cells: Sequence[int]
    confidence_shares: Sequence[float]
    means: Sequence[float]
    deviations: Sequence[float]
    thresholds: Mapping[str, float]
    """By part."""

    def parts(self, sums: Sums) -> dict[str, float]:
        """Each statistic over its threshold."""
        found = self.statistics(sums)
        return {part: found[part] / self.thresholds[part] for part in PARTS}

    def statistics(self, sums: Sums) -> dict[str, float]:
        """The three of a window that is not empty."""
        classes = [0] * len(self.class_shares)
        for label, count in sums.labels.items():
            classes[self.class_cells.get(label, len(classes) - 1)] += count
        confidences = [0] * len(self.confidence_shares)
        for cell, count in zip(self.confidence_cells, sums.confidences, strict=True):
            confidences[cell] += count
        return {
            "classes": _chi_square(classes, self.class_shares),
            "confidence": _chi_square(confidences, self.confidence_shares),
            "pixels": self._squares(sums),
        }

    def _squares(self, sums: Sums) -> float:
        root = math.sqrt(sums.predictions)
        means = (total / sums.predictions for total in sums.features)
        each = zip(means, self.means, self.deviations, strict=True)
        return sum(((mean - expected) / deviation * root) ** 2 for mean, expected, deviation in each)


def reference_of(profile: ReferenceProfile, labels: Sequence[str], window: int, rate: float) -> Reference:
    """Compute the cells and calibrate the thresholds. Takes a third of a second; the same every time.

    Args:
        labels: the card's.
        window: predictions in one window.
        rate: the share of undisturbed windows that may score 1 or more.
    """
    rows = _rows(profile, labels)
    class_cells, class_shares = _joined(
        {label: profile.class_shares.get(label, 0.0) for label in labels}, LEAST_EXPECTED / window
    )
    total = sum(profile.confidence_counts)
    bins = {str(place): count / total for place, count in enumerate(profile.confidence_counts)}
    bin_cells, bin_shares = _joined(bins, LEAST_EXPECTED / window)
    red, green, blue = profile.channel_means
    contrast = statistics.fmean(row.features[-1] for row in rows)
    raw = Reference(
        class_cells=class_cells,
        class_shares=class_shares,
        confidence_cells=[bin_cells[name] for name in bins],
        confidence_shares=bin_shares,
        means=features_of(red, green, blue, contrast),
        deviations=[
            max(statistics.pstdev(row.features[place] for row in rows), 1e-3)
            for place in range(len(FEATURES))
        ],
        thresholds={},
    )
    return _calibrated(raw, rows, window, rate)


def _calibrated(raw: Reference, rows: Sequence[Measured], window: int, rate: float) -> Reference:
    chance = random.Random(0)  # noqa: S311
    found = [raw.statistics(summed(chance.choices(rows, k=window))) for _ in range(RESAMPLED_WINDOWS)]
    limits = {part: _beyond([each[part] for each in found], rate / len(PARTS)) for part in PARTS}
    return Reference(**{**vars(raw), "thresholds": limits})


def _beyond(values: Sequence[float], rate: float) -> float:
    """What a share of `rate` of the values' distribution exceeds."""
    ascending = sorted(values)
    start = ascending[int(len(ascending) * (1 - TAIL))]
    excess = statistics.fmean(value - start for value in ascending if value >= start)
    return max(start + excess * math.log(TAIL / rate), 1e-9)


def _rows(profile: ReferenceProfile, labels: Sequence[str]) -> list[Measured]:
    sample = profile.sample
    columns = (sample.label, sample.confidence, sample.red, sample.green, sample.blue, sample.contrast)
    return [
        Measured(labels[label], confidence, features_of(red, green, blue, contrast))
        for label, confidence, red, green, blue, contrast in zip(*columns, strict=True)
    ]


def _joined(shares: Mapping[str, float], least: float) -> tuple[dict[str, int], list[float]]:
    """Cells of neighbours, each with a share of at least `least`; the last one also takes what is unknown."""
    cells: dict[str, int] = {}
    totals = [0.0]
    for name, share in shares.items():
        if totals[-1] >= least:
            totals.append(0.0)
        cells[name] = len(totals) - 1
        totals[-1] += share
    if totals[-1] < least and len(totals) > 1:
        last = totals.pop()
        totals[-1] += last
        cells = {name: min(cell, len(totals) - 1) for name, cell in cells.items()}
    return cells, totals


def _chi_square(counts: Sequence[int], shares: Sequence[float]) -> float:
    count = sum(counts)
    return sum(
        (found - count * share) ** 2 / (count * share)
        for found, share in zip(counts, shares, strict=True)
        if share > 0
    )
