"""Which runs the calling thread carries out itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

tf = pytest.importorskip("tensorflow")

from model_server.runtime.short_runs import SHORT_SECONDS, ShortRuns  # noqa: E402
from model_server.runtime.signatures import Signature, TensorSpec  # noqa: E402


def signature(graph: Any, output: Any, name: str = "scores") -> dict[str, Signature]:
    """One that answers with this tensor."""
    return {name: Signature(name, "", {}, {"y": TensorSpec("y", 1, None, output.name, None)}, {})}


def straight() -> tuple[Any, Any]:
    """A graph whose answer needs no loop, beside an answer that does."""
    with tf.Graph().as_default() as graph:
        answer = tf.nn.softmax(tf.compat.v1.placeholder(tf.float32, [None, 2]))
        _loop()
    return graph, answer


def looping() -> tuple[Any, Any]:
    """A graph whose function loops as often as its input says."""
    with tf.Graph().as_default() as graph:
        return graph, tf.identity(_loop())


def _loop() -> Any:
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def inner(end: Any) -> Any:
        return tf.while_loop(lambda number: number < end, lambda number: [number + 1], [0])

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def outer(end: Any) -> Any:
        return inner(end)[0] + 1

    return outer(tf.compat.v1.placeholder(tf.int32, []))


def calling_python() -> tuple[Any, Any]:
    """A graph that calls a Python function."""
    with tf.Graph().as_default() as graph:
        number = tf.compat.v1.placeholder(tf.float32, [])
        return graph, tf.numpy_function(lambda value: value, [number], tf.float32) + 1


def short_runs(made: tuple[Any, Any], is_allowed: bool = True) -> ShortRuns:
    """Of a graph and its answer."""
    return ShortRuns(made[0].as_graph_def(), signature(*made), is_allowed)


def test_a_run_is_short_when_its_rows_were() -> None:
    """Nothing is known before the first run; then it is a matter of rows, for each signature by itself."""
    runs = short_runs(straight())
    assert runs.options("scores", 1) is None
    runs.took("scores", rows=4, seconds=SHORT_SECONDS)
    assert runs.options("scores", 3) is not None
    assert runs.options("scores", 4) is None
    assert runs.options("other", 1) is None
    runs.took("scores", rows=1, seconds=SHORT_SECONDS)
    assert runs.options("scores", 1) is None


@pytest.mark.parametrize("graph", [looping, calling_python])
def test_what_may_take_long_is_handed_over(graph: Callable[[], tuple[Any, Any]]) -> None:
    """A deadline has to stop it, however short it was until now."""
    runs = short_runs(graph())
    runs.took("scores", rows=1, seconds=0.0)
    assert runs.options("scores", 1) is None


def test_a_pool_that_was_asked_for_is_used() -> None:
    """By a flag that sets its size."""
    runs = short_runs(straight(), is_allowed=False)
    runs.took("scores", rows=1, seconds=0.0)
    assert runs.options("scores", 1) is None


def test_the_bundled_model_is_known_to_be_short() -> None:
    """By its own pixels; its other signature decodes pictures one by one in a loop."""
    from model_server.runtime.servable import loader

    servable = loader(None, tags=("serve",))(Path("models/cifar10/1"))
    for name in ("serving_default", "serving_bytes"):
        servable._short_runs.took(name, rows=1, seconds=0.0)
    assert servable._short_runs.options("serving_default", 1) is not None
    assert servable._short_runs.options("serving_bytes", 1) is None
    servable.close()
