"""The sequential test of a canary: pure functions against scipy's distributions, rates by simulation."""

from __future__ import annotations

import math
import random

import pytest
from canary_harness import drawn, evidence, step_of, trial_of

from gateway.canary import sequential
from gateway.canary.judging import folded, sums_of, verdict_of
from gateway.canary.simulation import Plan, share_rolled_back
from gateway.ports.canary import Table
from gateway.settings import CanarySettings

SETTINGS = CanarySettings()


@pytest.mark.parametrize("block", [Table(5, 2, 45, 4), Table(30, 0, 20, 7), Table(3, 3, 400, 1)])
def test_a_ratio_is_that_of_fishers_noncentral_hypergeometric_distribution(block: Table) -> None:
    """As scipy has it, for each alternative and a tolerated ratio of odds."""
    stats = pytest.importorskip("scipy.stats")
    total, hits = block.canary + block.stable, block.canary_hits + block.stable_hits
    usual = stats.nchypergeom_fisher(total, hits, block.canary, 1.5).logpmf(block.canary_hits)
    for worse, found in zip(sequential.WORSE, sequential.log_ratios(block, 1.5), strict=True):
        other = stats.nchypergeom_fisher(total, hits, block.canary, 1.5 * worse).logpmf(block.canary_hits)
        assert found == pytest.approx(other - usual, abs=1e-6)


@pytest.mark.parametrize("odds", [0.5, 1.0, 2.0])
def test_a_ratio_expects_at_most_one_where_the_canary_is_not_worse(odds: float) -> None:
    """Summed over everything that can happen in a block, for true odds up to the tolerated ones."""
    canary, stable, hits, tolerated = 8, 30, 6, 2.0
    ways = [math.comb(canary, n) * math.comb(stable, hits - n) * odds**n for n in range(hits + 1)]
    for place in range(len(sequential.WORSE)):
        ratios = [
            math.exp(sequential.log_ratios(Table(canary, n, stable, hits - n), tolerated)[place])
            for n in range(hits + 1)
        ]
        mean = sum(way * ratio for way, ratio in zip(ways, ratios, strict=True)) / sum(ways)
        assert mean <= 1 + 1e-9


@pytest.mark.parametrize(
    "block", [Table(), Table(9, 0, 90, 0), Table(0, 0, 90, 9), Table(9, 3, 0, 0), Table(5, 5, 50, 50)]
)
def test_what_hits_nobody_or_everybody_is_no_evidence(block: Table) -> None:
    """An outage of both, a canary without stable beside it, a quiet second."""
    assert sequential.log_ratios(block, 1.0) == sequential.NONE_YET


def test_bounds_of_a_share_hold_what_they_promise() -> None:
    """0–1 without anything; they close around the share; 60 drawn courses leave them seldom enough."""
    assert sequential.confidence_sequence(0, 0, 0.05) == (0.0, 1.0)
    low, high = sequential.confidence_sequence(0, 1000, 0.05)
    assert low == pytest.approx(0, abs=1e-9)
    assert 0.003 < high < 0.01
    assert sequential.confidence_sequence(7, 7, 0.05)[1] == pytest.approx(1, abs=1e-9)
    chance, left = random.Random(5), 0
    for _ in range(60):
        hits, has_left = 0, False
        for count in range(1, 301):
            hits += chance.random() < 0.1
            if count % 10 == 0:
                low, high = sequential.confidence_sequence(hits, count, 0.05)
                has_left |= not low <= 0.1 <= high
        left += has_left
    assert left <= 3


def test_a_worse_canary_is_rolled_back_and_the_sentence_has_the_numbers() -> None:
    """By each signal alone."""
    for signal, word in (("errors", "failed"), ("latency", "slow"), ("accuracy", "wrong")):
        rows = [evidence(**{signal: Table(5, 4, 45, 2)}) for _ in range(6)]
        verdict = verdict_of(trial_of(SETTINGS, rows), SETTINGS)
        assert verdict.step == "rollback"
        assert verdict.sentence == (
            f"too many {word} {'answers' if signal == 'accuracy' else 'calls'}: 24 of 30 on the canary, "
            "12 of 270 on stable"
        )


def test_enough_once_is_enough() -> None:
    """Blocks that follow the decisive one, before anybody looked, take nothing back."""
    bad = [evidence(errors=Table(5, 5, 45, 0)) for _ in range(5)]
    good = [evidence(errors=Table(5, 0, 45, 5)) for _ in range(100)]
    assert step_of(SETTINGS, [*bad, *good]) == "rollback"


def test_a_promotion_waits_for_time_calls_feedback_and_narrow_bounds() -> None:
    """And says for what; without any feedback it is promoted only where the settings say so."""
    chance = random.Random(1)
    calls = [evidence(errors=Table(50, 0, 450, 0), latency=Table(50, 1, 450, 9)) for _ in range(40)]
    said = [evidence(accuracy=drawn(chance, 50, 0.09, 450, 0.09)) for _ in range(40)]
    assert step_of(SETTINGS, [*calls, *said], 600) == "promote"
    early = verdict_of(trial_of(SETTINGS, [*calls, *said], 599), SETTINGS)
    assert (early.step, list(early.missing)) == ("wait", ["watched for 599 of 600 s"])
    without = verdict_of(trial_of(SETTINGS, calls, 600), SETTINGS)
    assert without.step == "wait"
    assert "0 of 300 canary answers with feedback" in without.missing
    few = verdict_of(trial_of(SETTINGS, [*calls, *said[:8]], 600), SETTINGS)
    assert any("it may still be worse by" in text for text in few.missing)
    assert step_of(CanarySettings(promote_feedback=0), calls, 600) == "promote"


@pytest.mark.parametrize(("answers", "step"), [(1000, "wait"), (1200, "promote")])
def test_how_much_feedback_a_margin_of_five_points_needs(answers: int, step: str) -> None:
    """About 1,100 canary answers where 9 in 100 are wrong, as the setting's description says."""
    wrong = round(0.09 * answers)
    calls = evidence(errors=Table(5000, 0, 45_000, 0), latency=Table(5000, 100, 45_000, 900))
    said = evidence(accuracy=Table(answers, wrong, 9 * answers, 9 * wrong))
    assert step_of(SETTINGS, [calls, said], 600) == step


def test_folding_in_parts_is_folding_at_once() -> None:
    """Also over the JSON of a database; the course keeps a bounded number of points and its end."""
    chance = random.Random(2)
    rows = [evidence(accuracy=drawn(chance, 5, 0.2, 45, 0.1)) for _ in range(600)]
    at_once = trial_of(SETTINGS, rows, 600)
    trial = trial_of(SETTINGS, [])
    for row in rows:
        trial = folded(trial, [row], 1, SETTINGS)
    assert sums_of(trial)["accuracy"].table == sums_of(at_once)["accuracy"].table
    assert sums_of(trial)["accuracy"].logs == pytest.approx(sums_of(at_once)["accuracy"].logs)
    assert trial.state is not None
    assert 100 < len(trial.state["course"]) <= 240
    assert trial.state["course"][-1][0] == 600


def test_false_alarms_stay_below_the_stated_rate() -> None:
    """100 seeded courses of an equally good canary, a quarter of an hour each."""
    equal = Plan(seconds=900, block_seconds=15)
    share, _ = share_rolled_back(equal, SETTINGS, courses=100, seed=1)
    assert share <= 0.05


def test_a_bad_canary_is_seen_within_two_minutes() -> None:
    """15 points of accuracy, in most seeded courses; 20 points, in 19 of 20."""
    worse = Plan(seconds=112, canary_wrong=0.24)
    share, _ = share_rolled_back(worse, SETTINGS, courses=60, seed=1)
    assert share >= 0.75
    much_worse = Plan(seconds=115, canary_wrong=0.29)
    assert share_rolled_back(much_worse, SETTINGS, courses=60, seed=1)[0] >= 0.95
