"""Answers and true labels to measures, without numpy: pure functions.

The paired difference and its interval: A. Agresti and Y. Min, Statistics in Medicine 24, 2005, 729–740:
Wald's interval after adding half a pair to each cell, which holds its level where plain Wald does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.statistics.intervals import Z_95, sign_test, wilson


@dataclass(frozen=True, slots=True)
class ClassMeasures:
    """One class. None: undefined, because nothing shows it, or nothing was said to."""

    label: str
    pictures: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Measures:
    """One version."""

    right: int
    pictures: int
    accuracy: float
    interval: tuple[float, float]
    """95 %, Wilson."""
    macro_f1: float
    """Over the classes that are shown."""
    classes: Sequence[ClassMeasures]
    confusion: Sequence[Sequence[int]]
    """[true label][predicted label], in the order of `labels`."""
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One version minus the other, on the same pictures."""

    only_first_right: int
    only_second_right: int
    difference: float
    interval: tuple[float, float]
    """95 %."""
    p_value: float
    """Exact, two-sided: both equally often right."""


def measures_of(true: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Measures:
    """Of at least one picture; every label is among `labels`."""
    places = {label: place for place, label in enumerate(labels)}
    confusion = [[0] * len(labels) for _ in labels]
    for one, other in zip(true, predicted, strict=True):
        confusion[places[one]][places[other]] += 1
    right = sum(confusion[place][place] for place in range(len(labels)))
    classes = [_class(label, place, confusion) for place, label in enumerate(labels)]
    shown = [each.f1 or 0.0 for each in classes if each.pictures]
    count = len(true)
    macro = sum(shown) / len(shown)
    return Measures(
        right, count, right / count, wilson(right, count), macro, classes, confusion, list(labels)
    )


def _class(label: str, place: int, confusion: Sequence[Sequence[int]]) -> ClassMeasures:
    hits, shown = confusion[place][place], sum(confusion[place])
    said = sum(row[place] for row in confusion)
    precision = hits / said if said else None
    recall = hits / shown if shown else None
    f1 = 2 * hits / (said + shown) if said + shown else None
    return ClassMeasures(label, shown, precision, recall, f1)


def difference_of(first: Sequence[bool], second: Sequence[bool]) -> Difference:
    """Which of two was right, picture by picture."""
    only_first = sum(one and not other for one, other in zip(first, second, strict=True))
    only_second = sum(other and not one for one, other in zip(first, second, strict=True))
    count = len(first)
    middle = (only_first - only_second) / (count + 2)
    discordant = (only_first + only_second + 1) / (count + 2)
    spread = Z_95 * math.sqrt(max(0.0, discordant - middle**2) / (count + 2))
    return Difference(
        only_first,
        only_second,
        (only_first - only_second) / count,
        (max(-1.0, middle - spread), min(1.0, middle + spread)),
        sign_test(only_first, only_second),
    )
