"""Ids that nobody else has."""

from __future__ import annotations

import re

from gateway.ids import AT_ONCE, new_id


def test_ids_are_128_bits_in_hexadecimal_and_never_the_same() -> None:
    """More of them than are made ready at once."""
    ids = [new_id() for _ in range(3 * AT_ONCE)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
