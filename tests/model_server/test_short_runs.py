"""Which runs the calling thread carries out itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

tf = pytest.importorskip("tensorflow")

from model_server.runtime.short_runs import SHORT_SECONDS, ShortRuns  # noqa: E402


def straight() -> Any:
    """A graph without loops."""
    with tf.Graph().as_default() as graph:
        tf.nn.softmax(tf.compat.v1.placeholder(tf.float32, [None, 2]))
    return graph


def looping() -> Any:
    """A graph whose function loops as often as its input says."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def count(end: Any) -> Any:
        return tf.while_loop(lambda number: number < end, lambda number: [number + 1], [0])

    with tf.Graph().as_default() as graph:
        count(tf.compat.v1.placeholder(tf.int32, []))
    return graph


def calling_python() -> Any:
    """A graph that calls a Python function."""
    with tf.Graph().as_default() as graph:
        tf.numpy_function(lambda value: value, [tf.compat.v1.placeholder(tf.float32, [])], tf.float32)
    return graph


def test_a_run_is_short_when_its_rows_were() -> None:
    """Nothing is known before the first run; then it is a matter of rows, for each signature by itself."""
    runs = ShortRuns(straight(), is_allowed=True)
    assert runs.options("scores", 1) is None
    runs.took("scores", rows=4, seconds=SHORT_SECONDS)
    assert runs.options("scores", 3) is not None
    assert runs.options("scores", 4) is None
    assert runs.options("other", 1) is None
    runs.took("scores", rows=1, seconds=SHORT_SECONDS)
    assert runs.options("scores", 1) is None


@pytest.mark.parametrize("graph", [looping, calling_python])
def test_what_may_take_long_is_handed_over(graph: Callable[[], Any]) -> None:
    """A deadline has to stop it, however short it was until now."""
    runs = ShortRuns(graph(), is_allowed=True)
    runs.took("scores", rows=1, seconds=0.0)
    assert runs.options("scores", 1) is None


def test_a_pool_that_was_asked_for_is_used() -> None:
    """By a flag that sets its size."""
    runs = ShortRuns(straight(), is_allowed=False)
    runs.took("scores", rows=1, seconds=0.0)
    assert runs.options("scores", 1) is None
