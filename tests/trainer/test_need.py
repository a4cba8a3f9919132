"""A fine-tune may go far where new examples show that it must, and a little otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.gate.noninferiority import Booleans
from trainer.tuning.need import LEAST_FARTHEST, Recognised, beyond_chance, farthest


def answers(right: int, of: int) -> Booleans:
    """So many right ones."""
    return np.arange(of) < right


def test_as_well_as_others_needs_nothing() -> None:
    """Also when new pictures are recognised better, or all of both kinds are."""
    assert beyond_chance(answers(360, 400), answers(900, 1000)) == 0
    assert beyond_chance(answers(390, 400), answers(900, 1000)) == 0
    assert beyond_chance(answers(30, 30), answers(12, 12)) == 0


def test_chance_is_taken_for_a_change_as_rarely_as_stated() -> None:
    """New pictures of the old kind: in one of twenty draws there is a need, and it is hardly ever large."""
    random = np.random.default_rng(1)
    needs = np.array([beyond_chance(random.random(400) < 0.6, random.random(250) < 0.6) for _ in range(2000)])
    assert 0.03 < np.mean(needs > 0) < 0.07
    assert np.mean(needs > 0.6) < 0.01


@pytest.mark.parametrize("more", [{"right": 200}, {"new": 800, "right": 640}, {"old": 4000}])
def test_need_grows_with_the_gap_and_with_the_examples(more: dict[str, int]) -> None:
    """A larger gap, or the same one seen in more pictures, is harder to explain by chance."""

    def need(new: int = 400, right: int = 320, old: int = 1000) -> float:
        return beyond_chance(answers(right, new), answers(old * 9 // 10, old))

    assert 0 < need() < need(**more) < 1


def test_a_changed_camera_frees_the_way() -> None:
    """Half of the accuracy lost on 500 pictures: to within a hundredth of the end."""
    need = beyond_chance(answers(200, 500), answers(900, 1000))
    assert farthest(need) == pytest.approx(1.0, abs=0.01)
    assert farthest(0.0) == LEAST_FARTHEST


def test_a_class_that_the_parent_cannot_name_needs_all_of_the_way() -> None:
    """However well it does on the other new examples; they say on their own whether they are worse."""
    known = answers(360, 400), answers(900, 1000)
    assert Recognised(*known, is_each_known=True).need == 0
    assert Recognised(*known, is_each_known=False).need == 1
    assert not Recognised(*known, is_each_known=False).is_clearly_worse
    assert Recognised(answers(200, 400), known[1], is_each_known=True).is_clearly_worse


def test_without_pictures_nothing_is_known() -> None:
    """No new example of a known class, or no old picture."""
    assert beyond_chance(answers(0, 0), answers(9, 10)) == 0
    assert beyond_chance(answers(0, 10), answers(0, 0)) == 0
