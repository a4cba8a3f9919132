"""How long a replica may hold a batch while another could help."""

from __future__ import annotations

import pytest

from gateway.serving.patience import FACTOR, SHORTEST_SECONDS, Patience


def test_a_busy_replica_is_not_taken_for_a_frozen_one() -> None:
    """Two hundredths of a second an image on a fifth of a CPU: a call of 55 takes longer than a second."""
    patience = Patience()
    patience.learn("shades", 1, 0.02)
    assert patience.seconds("shades", 55, 5.0) == pytest.approx(FACTOR * 55 * 0.02)


def test_a_fast_replica_gets_the_shortest_time_and_nobody_more_than_there_is() -> None:
    patience = Patience()
    patience.learn("shades", 64, 0.05)
    assert patience.seconds("shades", 64, 5.0) == SHORTEST_SECONDS
    assert patience.seconds("shades", 64, 0.4) == 0.4
    patience.learn("shades", 1, 10.0)
    assert patience.seconds("shades", 64, 5.0) == 5.0


def test_the_first_call_of_a_model_leaves_another_replica_half_of_the_time() -> None:
    """What another model takes says nothing of it."""
    patience = Patience()
    patience.learn("shades", 1, 0.001)
    assert patience.seconds("photographs", 1, 5.0) == 2.5
    assert patience.seconds("photographs", 1, 1.5) == SHORTEST_SECONDS


def test_a_model_that_becomes_slower_is_given_more_time_call_by_call() -> None:
    patience = Patience()
    patience.learn("shades", 1, 0.1)
    times = []
    for _ in range(30):
        patience.learn("shades", 1, 0.8)
        times.append(patience.seconds("shades", 1, 60.0))
    assert times == sorted(times)
    assert times[-1] == pytest.approx(FACTOR * 0.8, rel=0.01)
