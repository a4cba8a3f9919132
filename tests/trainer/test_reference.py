"""The profile that drift is measured from says what the pictures and the answers were."""

from __future__ import annotations

import numpy as np
import pytest

from contract.reference import CONFIDENCE_BINS, SAMPLE_ROWS
from trainer.dataset.reading import Examples
from trainer.version.reference import profile_of

pytestmark = pytest.mark.tensorflow


def examples(count: int) -> Examples:
    """Pictures of one grey each."""
    greys = np.linspace(0, 255, count).astype(np.uint8)
    pictures = np.broadcast_to(greys[:, None, None, None], (count, 8, 8, 3)).copy()
    return Examples(pictures, np.zeros(count, np.int64), [""] * count, [""] * count)


def test_the_profile_counts_answers_and_pixels() -> None:
    """Shares of the predicted classes, a histogram of confidence, means and quantiles of the pixels."""
    top = np.linspace(0.5, 1.0, 101)
    probabilities = np.stack([top, 1 - top], axis=1).astype(np.float32)
    profile = profile_of("test", ["cat", "dog"], examples(101), probabilities)
    assert profile.class_shares == {"cat": 1.0, "dog": 0.0}
    assert sum(profile.confidence_counts) == 101
    assert profile.confidence_counts[: CONFIDENCE_BINS // 2] == [0] * (CONFIDENCE_BINS // 2)
    assert profile.confidence_counts[-1] >= 10  # a score of 1 is in the last bin
    assert profile.channel_means == pytest.approx([127.0] * 3, abs=1)
    assert profile.brightness_quantiles[6] == pytest.approx(127, abs=2)
    assert profile.contrast_quantiles == pytest.approx([0.0] * 13, abs=1e-3)
    assert len(profile.sample) == 101


def test_the_sample_is_bounded() -> None:
    """However many pictures there are, a card stays readable."""
    probabilities = np.full((3000, 4), 0.25, np.float32)
    profile = profile_of("validation", list("abcd"), examples(3000), probabilities)
    assert len(profile.sample) == SAMPLE_ROWS
    assert profile.examples == 3000
