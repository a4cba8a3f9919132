"""Which versions a bucket has, by the names of its objects."""

from __future__ import annotations

import pytest

from mirror.marker import MARKER, finished


def test_versions_with_a_marker_are_finished() -> None:
    """Sorted by model and number; files without a marker are none."""
    paths = [f"b/10/{MARKER}", f"b/9/{MARKER}", f"a/1/{MARKER}", "a/2/saved_model.pb"]
    assert finished(paths) == [("a", 1), ("b", 9), ("b", 10)]


@pytest.mark.parametrize("model", ["..", ".", "", ".hidden", "config"])
def test_a_name_that_is_no_model_s_is_passed_over(model: str) -> None:
    """Whoever can write into a bucket must not write beside the store of those who mirror it."""
    assert finished([f"{model}/1/{MARKER}"]) == []
