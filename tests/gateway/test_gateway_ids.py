"""Ids that nobody else has, and that tell when they were made."""

from __future__ import annotations

import time
import uuid

import pytest

from gateway.ids import AT_ONCE, age_seconds, new_id


def test_ids_are_uuids_of_version_7_and_never_the_same() -> None:
    """More of them than are made ready at once."""
    ids = [new_id() for _ in range(3 * AT_ONCE)]
    assert len(set(ids)) == len(ids)
    for one in ids:
        parsed = uuid.UUID(hex=one)
        assert parsed.hex == one
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_an_id_tells_its_age_also_from_a_clock_that_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a second, since the test takes time itself."""
    made, now = new_id(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert age_seconds(made) == pytest.approx(60, abs=1)
    monkeypatch.setattr(time, "time", lambda: now - 60)
    assert age_seconds(made) == pytest.approx(-60, abs=1)
