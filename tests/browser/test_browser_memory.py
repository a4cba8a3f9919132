"""A page that stays open holds no more at the end than at the beginning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.soak import Reading, is_flat, soak

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

SECONDS = 600
POLLS = 100
"""At least: two questions every five seconds, less what a busy machine skips."""


def test_ten_minutes_of_the_overview_leave_nothing_behind(open_tab: Callable[..., Visit]) -> None:
    """Heap, nodes, listeners and open requests stay; `make dashboard-soak` does the same for hours."""
    visit = open_tab()
    readings, asked = soak(visit, SECONDS)
    assert asked > POLLS
    assert is_flat(readings[0], readings[-1]), readings
    assert visit.complaints == []


def test_growth_would_be_noticed() -> None:
    """The measure itself: a heap that doubles, or requests that pile up, are not flat."""
    before = Reading(1000, 100, 10, 0)
    assert is_flat(before, before)
    assert not is_flat(before, Reading(2000, 100, 10, 0))
    assert not is_flat(before, Reading(1000, 100, 10, 9))
