"""Choose uncertain predictions that are not all the same.

Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next one is that with the highest
½ · uncertainty − ½ · similarity to the most similar one chosen so far. Similarity is 1 − the total variation
distance of the two answers' scores, and two predictions of the same picture count once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.ports.history import PredictionRow
from gateway.ports.labelling import Measure

RELEVANCE = 0.5


@dataclass(frozen=True, slots=True)
class Ranked:
    """A prediction and how uncertain it is, 0–1 among those that wait."""

    row: PredictionRow
    uncertainty: float


def ranked(rows: Sequence[PredictionRow], by: Measure) -> list[Ranked]:
    """By margin, 1 − margin; by entropy, its share of the highest one."""
    highest = max((row.entropy for row in rows), default=0.0) or 1.0
    return [Ranked(row, 1 - row.margin if by == "margin" else row.entropy / highest) for row in rows]


def diverse(candidates: Sequence[Ranked], count: int) -> list[Ranked]:
    """At most `count` of them, in the order in which they should be looked at."""
    rest = [(one, dict(one.row.classifications)) for one in _once(candidates)]
    nearest = [0.0] * len(rest)
    chosen: list[Ranked] = []
    while rest and len(chosen) < count:
        worth = [
            RELEVANCE * one.uncertainty - (1 - RELEVANCE) * near
            for (one, _), near in zip(rest, nearest, strict=True)
        ]
        place = worth.index(max(worth))
        taken, scores = rest.pop(place)
        nearest.pop(place)
        chosen.append(taken)
        nearest = [
            max(near, similarity(scores, other)) for near, (_, other) in zip(nearest, rest, strict=True)
        ]
    return chosen


def similarity(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """1 − ½ Σ |p − q| over the labels that either names; what neither names is left out."""
    labels = one.keys() | other.keys()
    return 1 - sum(abs(one.get(label, 0.0) - other.get(label, 0.0)) for label in labels) / 2


def _once(candidates: Sequence[Ranked]) -> list[Ranked]:
    pictures: dict[str | None, Ranked] = {}
    for one in candidates:
        pictures.setdefault(one.row.picture, one)
    return list(pictures.values())
