"""Requests that wait while one runs are run together, and nobody pays for another's mistake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from model_servers import eventually

from model_server.errors import Code, ServingError, invalid_argument
from model_server.inference.merging import MAX_EXAMPLES, MergingRun
from model_server.runtime.signatures import Signature, TensorSpec
from model_server.runtime.tensors import Array

FLOAT = 1


def signature(name: str = "double", rows: int = -1) -> Signature:
    inputs = {"x": TensorSpec("x", FLOAT, (-1, -1), "x:0", None)}
    outputs = {"y": TensorSpec("y", FLOAT, (rows, -1), "y:0", None)}
    return Signature(name, "tensorflow/serving/predict", inputs, outputs, {})


class Servable:
    """Doubles its input, once the gate is open; refuses negative numbers."""

    model, version = "double", 1

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls: list[tuple[int, float | None]] = []

    def run(
        self, _: Signature, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: float | None
    ) -> list[Array]:
        """One call into the graph."""
        self.calls.append((len(inputs["x"]), timeout))
        assert self.gate.wait(60)
        if (inputs["x"] < 0).any():
            raise invalid_argument("negative")
        return [inputs["x"] * 2 for _ in outputs]

    @property
    def sizes(self) -> list[int]:
        """The examples of each call so far."""
        return [size for size, _ in self.calls]


class Crowd:
    """Callers on threads of their own."""

    def __init__(self) -> None:
        self.servable = Servable()
        self.waits: list[float] = []
        observer = SimpleNamespace(
            batch=lambda *_: None, queued=lambda model, version, seconds: self.waits.append(seconds)
        )
        self.run = MergingRun(observer, at_once=1)
        self._threads = ThreadPoolExecutor(32)

    def ask(self, value: float, rows: int = 1, columns: int = 2, **other: Any) -> Future[list[Array]]:
        """Send a request; returns when it runs or waits."""
        asked = other.get("signature", signature())
        arguments = (asked, {"x": np.full([rows, columns], value, np.float32)}, ["y"], other.get("timeout"))
        before = len(self.servable.calls) + self.queue_length()
        future = self._threads.submit(self.run, self.servable, *arguments)
        eventually(lambda: len(self.servable.calls) + self.queue_length() > before or future.done())
        return future

    def queue_length(self) -> int:
        """How many wait."""
        lane = self.run._lanes.get(self.servable)
        return len(lane._queue) if lane is not None else 0


@pytest.fixture
def crowd() -> Crowd:
    """A crowd before a closed gate."""
    return Crowd()


def first_value(future: Future[list[Array]]) -> float:
    (array,) = future.result(60)
    assert (array == array[0, 0]).all()
    return float(array[0, 0])


def test_a_lone_request_runs_at_once_on_its_own_thread(crowd: Crowd) -> None:
    """No hand-over and no wait."""
    crowd.servable.gate.set()
    arrays = crowd.run(crowd.servable, signature(), {"x": np.ones([3, 2], np.float32)}, ["y"], None)
    assert arrays[0].tolist() == [[2.0, 2.0]] * 3
    assert (crowd.servable.sizes, crowd.waits) == ([3], [])


def test_those_who_wait_run_together_and_each_gets_its_rows(crowd: Crowd) -> None:
    """One call for the first, one for the ten that came meanwhile."""
    futures = [crowd.ask(float(value), rows=1 + value % 3) for value in range(11)]
    crowd.servable.gate.set()
    for value, future in enumerate(futures):
        assert first_value(future) == 2 * value
        assert len(future.result()[0]) == 1 + value % 3
    assert crowd.servable.sizes == [1, sum(1 + value % 3 for value in range(1, 11))]
    assert len(crowd.waits) == 10


def test_only_requests_that_fit_are_merged(crowd: Crowd) -> None:
    """Another width or another signature is another call; order is kept within each."""
    crowd.ask(1.0)
    futures = [crowd.ask(1.0), crowd.ask(1.0, columns=3), crowd.ask(1.0), crowd.ask(1.0, columns=3)]
    futures.append(crowd.ask(1.0, signature=signature("other")))
    crowd.servable.gate.set()
    assert [first_value(future) for future in futures] == [2.0] * 5
    assert sorted(crowd.servable.sizes) == [1, 1, 2, 2]


def test_a_merged_call_has_a_limit(crowd: Crowd) -> None:
    """What does not fit any more is the next call; what is larger by itself runs alone."""
    crowd.ask(1.0)
    futures = [crowd.ask(1.0, rows=MAX_EXAMPLES - 1), crowd.ask(2.0), crowd.ask(3.0)]
    futures.append(crowd.ask(4.0, rows=MAX_EXAMPLES + 1))
    crowd.servable.gate.set()
    assert [first_value(future) for future in futures] == [2.0, 4.0, 6.0, 8.0]
    assert sorted(crowd.servable.sizes) == [1, 1, MAX_EXAMPLES, MAX_EXAMPLES + 1]


def test_a_bad_request_fails_alone(crowd: Crowd) -> None:
    """Its neighbours in the same call are run again, by themselves."""
    crowd.ask(1.0)
    futures = [crowd.ask(2.0), crowd.ask(-1.0), crowd.ask(3.0)]
    crowd.servable.gate.set()
    assert first_value(futures[0]) == 4.0
    assert first_value(futures[2]) == 6.0
    with pytest.raises(ServingError, match="negative"):
        futures[1].result(60)


def test_a_deadline_passes_while_waiting(crowd: Crowd) -> None:
    """That request alone is told; the one before and the one behind are answered."""
    first = crowd.ask(1.0)
    late = crowd.ask(2.0, timeout=0.05)
    with pytest.raises(ServingError) as raised:
        late.result(60)
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    behind = crowd.ask(3.0)
    crowd.servable.gate.set()
    assert (first_value(first), first_value(behind)) == (2.0, 6.0)


def test_a_merged_call_may_take_as_long_as_its_most_patient_request(crowd: Crowd) -> None:
    """The longest of the deadlines, and none where one request has none."""
    crowd.ask(1.0)
    futures = [crowd.ask(1.0, timeout=30.0), crowd.ask(1.0, timeout=100.0)]
    crowd.servable.gate.set()
    for future in futures:
        future.result(60)
    (_, timeout) = crowd.servable.calls[-1]
    assert timeout is not None
    assert 30 < timeout <= 100


@pytest.mark.parametrize(
    "change", [lambda: {"signature": signature(rows=1)}, lambda: {"rows": MAX_EXAMPLES + 1}]
)
def test_what_cannot_be_merged_runs_alone_and_at_once(
    crowd: Crowd, change: Callable[[], dict[str, Any]]
) -> None:
    """A signature without an open first dimension, or a request above the limit, waits for nobody."""
    crowd.ask(1.0)
    crowd.ask(1.0, **change())
    assert len(crowd.servable.sizes) == 2
    crowd.servable.gate.set()


def test_a_servable_that_is_gone_leaves_nothing_behind(crowd: Crowd) -> None:
    """Its queue goes with it."""
    crowd.servable.gate.set()
    crowd.ask(1.0).result(60)
    assert len(crowd.run._lanes) == 1
    crowd.servable = Servable()
    eventually(lambda: len(crowd.run._lanes) == 0)
