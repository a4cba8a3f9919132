"""Canary against stable at every moment: pure functions, no state, no clock.

A block is what one gateway saw of both versions in a second or so: so many of each, so many *hits* (failed,
slow, wrong). Given those numbers, and if neither version is worse, which hits are the canary's is chance:
the hypergeometric distribution. With odds ψ times as large it is Fisher's noncentral hypergeometric one,
whose likelihood ratio against the tolerated odds ψ₀ has an expectation of at most 1 for every true ψ ≤ ψ₀
(the family has a monotone likelihood ratio in ψ). Products of such ratios over blocks, mixed over several ψ,
are therefore an e-process: by Ville's inequality it ever reaches 1/α with probability α at most, however
often one looks. Because each block is judged given its own sums, neither a load that changes, nor an outage
that hits both, nor a share that was changed counts for or against the canary.

Sources: M. Lindon and A. Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022 (the test by
which hits are the treatment's, its mixture, canary tests as the use); R. Turner and P. Grünwald, Safe
Sequential Testing and Effect Estimation in Stratified Count Data, AISTATS 2023 (products over strata);
H. Robbins, Annals of Mathematical Statistics 41, 1970, 1397–1409 (the confidence sequence of one share).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gateway.ports.canary import Table

WORSE = (1.5, 2.0, 3.0, 5.0, 10.0)
"""Odds, as multiples of the tolerated ones, that are mixed with equal weight: the test is sharp for each."""
_BISECTIONS = 50


NONE_YET: tuple[float, ...] = (0.0,) * len(WORSE)
"""The logarithms of the ratios before the first block."""


def log_ratios(block: Table, tolerated: float) -> tuple[float, ...]:
    """ln of the likelihood ratio of each of WORSE against the tolerated odds, in one block."""
    hits = block.canary_hits + block.stable_hits
    fewest, most = max(0, hits - block.stable), min(hits, block.canary)
    if fewest == most:  # these sums leave nothing to chance
        return NONE_YET
    ways = [_ln_choose(block.canary, n) + _ln_choose(block.stable, hits - n) for n in range(fewest, most + 1)]
    usual = _ln_total(ways, math.log(tolerated), fewest)
    ratios = []
    for worse in WORSE:
        slope = math.log(worse)
        total = _ln_total(ways, slope + math.log(tolerated), fewest)
        ratios.append(block.canary_hits * slope - (total - usual))
    return tuple(ratios)


def added(sums: Sequence[float], more: Sequence[float]) -> tuple[float, ...]:
    """The sums of the logarithms after one more block."""
    return tuple(one + other for one, other in zip(sums, more, strict=True))


def ln_evidence(sums: Sequence[float]) -> float:
    """ln of the e-value: the mean of the products. At ln(1/α) the canary is worse, but for a chance of α."""
    largest = max(sums)
    return largest + math.log(sum(math.exp(one - largest) for one in sums) / len(sums))


def confidence_sequence(hits: int, count: int, alpha: float) -> tuple[float, float]:
    """Bounds of a share that hold at all times together with probability 1 − α; 0–1 for none."""
    if not count:
        return 0.0, 1.0
    share, limit = hits / count, math.log(1 / alpha)
    mixed = _ln_beta(hits + 0.5, count - hits + 0.5) - _ln_beta(0.5, 0.5)

    def is_refuted(p: float) -> bool:
        fixed = (hits * math.log(p) if hits else 0.0) + ((count - hits) * math.log1p(-p) if p < 1 else 0.0)
        return mixed - fixed >= limit

    return _edge(is_refuted, 0.0, share), _edge(is_refuted, 1.0, share)


def _edge(is_refuted: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where refutation ends between a point that may be refuted and one that is not."""
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if middle in (0.0, 1.0):
            break
        if is_refuted(middle):
            outside = middle
        else:
            inside = middle
    return (outside + inside) / 2


def _ln_total(ways: Sequence[float], slope: float, first: int) -> float:
    terms = [way + slope * (first + place) for place, way in enumerate(ways)]
    largest = max(terms)
    return largest + math.log(sum(math.exp(term - largest) for term in terms))


def _ln_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def _ln_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
