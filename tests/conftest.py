"""The order of the whole suite: files that may take longest begin first, so that no core waits for one."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By the time limit that tests state of themselves; else as they were found."""
    usual = float(config.getini("timeout"))

    def limit(item: pytest.Item) -> float:
        marker = item.get_closest_marker("timeout")
        return float(marker.args[0]) if marker else usual

    longest: dict[object, float] = {}
    for item in items:
        longest[item.path] = max(longest.get(item.path, 0.0), limit(item))
    items.sort(key=lambda item: -longest[item.path])
