"""Smoothed accuracy: what it equals, what it ignores, and how much less chance is in it."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.arrays import FloatArray
from trainer.tuning.smoothed import smoothed_accuracy

PICTURES, CLASSES = 20_000, 10


def answers(signal: float, seed: int) -> FloatArray:
    """Logits of a network that is right the more often the stronger the signal; class 0 is true."""
    logits = np.random.default_rng(seed).standard_normal((PICTURES, CLASSES)).astype(np.float32)
    logits[:, 0] += signal
    return logits


TRUTH = np.zeros(PICTURES, np.int64)


def test_clear_answers_count_as_they_are() -> None:
    """Three of four are right, all of them clearly."""
    logits = np.full((4, 3), -10.0, np.float32)
    logits[[0, 1, 2, 3], [0, 1, 2, 0]] = 10.0
    assert smoothed_accuracy(logits, np.array([0, 1, 2, 2])) == pytest.approx(0.75, abs=0.01)


def test_being_less_sure_of_everything_costs_nothing() -> None:
    """Neither the scale of the logits nor what is added to all of them matters."""
    logits = answers(3.0, seed=1)
    assert smoothed_accuracy(0.1 * logits + 7, TRUTH) == pytest.approx(
        smoothed_accuracy(logits, TRUTH), abs=1e-5
    )


def test_equal_logits_are_half_right() -> None:
    """A network that says nothing is no division by zero."""
    assert smoothed_accuracy(np.zeros((5, 3), np.float32), np.zeros(5, np.int64)) == pytest.approx(0.5)


def test_a_small_loss_is_seen_with_less_chance() -> None:
    """A network a little worse than another, judged on 500 pictures at a time: the loss, and its spread."""
    before, noise = answers(3.0, seed=2), answers(-0.15, seed=3)
    after = before + 0.3 * noise
    after[:, 0] -= 0.1
    parts = np.split(np.arange(PICTURES), PICTURES // 500)
    steps = [float(((before[p].argmax(1) == 0) * 1.0 - (after[p].argmax(1) == 0)).mean()) for p in parts]
    smooth = [smoothed_accuracy(before[p], TRUTH[p]) - smoothed_accuracy(after[p], TRUTH[p]) for p in parts]
    assert np.mean(smooth) == pytest.approx(np.mean(steps), rel=0.35)
    assert np.std(smooth) < 0.6 * np.std(steps)
