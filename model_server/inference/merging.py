"""Our own batching, which needs no tuning: requests that wait while one runs are run together.

No timer and no thread of its own. A request that finds its servable free runs at once on the thread it came
on. Those that arrive while the servable is busy wait; when a run ends, the first of them takes along those
that fit, runs one call into TensorFlow for all and hands each its rows. So a lone caller pays nothing, and
under load batches grow by themselves to what the model needs.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from model_server.errors import Code, ServingError
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable

MAX_EXAMPLES = 64
"""Of one merged call. A larger request runs alone, as large as it is."""

RUNS_AT_ONCE = 2
"""Of one servable: while one run keeps TensorFlow's threads busy, Python prepares the next."""


class Observer(Protocol):
    """Told of every call into TensorFlow and of every wait for one."""

    def batch(self, model: str, version: int, examples: int) -> None:
        """TensorFlow was called once for that many examples."""
        ...

    def queued(self, model: str, version: int, seconds: float) -> None:
        """A request waited that long for its call."""
        ...


Key = tuple[object, ...]


@dataclass(eq=False)
class _Waiting:
    """A request in the queue of its servable."""

    key: Key
    signature: Signature
    inputs: Mapping[str, Array]
    outputs: Sequence[str]
    examples: int
    deadline: float | None
    """On the monotonic clock."""
    since: float = field(default_factory=time.monotonic)
    woken: threading.Event = field(default_factory=threading.Event)
    batch: list[_Waiting] = field(default_factory=list)
    """Set for the request that has to run for all of these, itself among them."""
    result: list[Array] | None = None
    error: Exception | None = None

    def seconds_left(self) -> float | None:
        """Until the deadline, never negative; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


class _Lane:
    """The requests of one servable: at most `at_once` run, the others wait in the order they came."""

    def __init__(self, at_once: int) -> None:
        self._lock = threading.Lock()
        self._free = at_once
        self._queue: deque[_Waiting] = deque()

    def enter(self, waiting: _Waiting) -> bool:
        """True when the request may run now; otherwise it is queued."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            self._queue.append(waiting)
            return False

    def leave(self) -> None:
        """A run has ended: the next request and those that fit to it may run."""
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            first = self._queue.popleft()
            first.batch = [first, *self._companions(first)]
            first.woken.set()

    def _companions(self, first: _Waiting) -> list[_Waiting]:
        taken: list[_Waiting] = []
        examples = first.examples
        for waiting in list(self._queue):
            if waiting.key == first.key and examples + waiting.examples <= MAX_EXAMPLES:
                taken.append(waiting)
                examples += waiting.examples
        for waiting in taken:
            self._queue.remove(waiting)
        return taken

    def withdraw(self, waiting: _Waiting) -> bool:
        """Take a request out of the queue; False when it has to run a batch."""
        with self._lock:
            if waiting.batch:
                return False
            if waiting in self._queue:
                self._queue.remove(waiting)
            return True


class MergingRun:
    """A `Run` (predict.py) that merges the requests that wait."""

    def __init__(self, observer: Observer, at_once: int = RUNS_AT_ONCE) -> None:
        """`at_once`: runs of one servable at a time."""
        self._observer = observer
        self._at_once = at_once
        self._lanes: weakref.WeakKeyDictionary[Servable, _Lane] = weakref.WeakKeyDictionary()
        self._opening = threading.Lock()

    def __call__(
        self,
        servable: Servable,
        signature: Signature,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
        timeout_seconds: float | None,
    ) -> list[Array]:
        """Answer one request, alone or with others. Raises ServingError."""
        examples = batch_size(signature, inputs)
        if examples is None:
            return servable.run(signature, inputs, outputs, timeout_seconds)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        key = (signature.name, tuple(outputs), *((a.dtype.str, a.shape[1:]) for a in inputs.values()))
        waiting = _Waiting(key, signature, inputs, outputs, examples, deadline)
        lane = self._lane(servable)
        if lane.enter(waiting):
            waiting.batch = [waiting]
        else:
            self._wait(servable, lane, waiting)
        if waiting.batch:
            self._run(servable, lane, waiting.batch)
        if waiting.error is not None:
            raise waiting.error
        assert waiting.result is not None  # noqa: S101 (every run leaves one of the two)
        return waiting.result

    def _lane(self, servable: Servable) -> _Lane:
        lane = self._lanes.get(servable)
        if lane is None:
            with self._opening:
                lane = self._lanes.setdefault(servable, _Lane(self._at_once))
        return lane

    def _wait(self, servable: Servable, lane: _Lane, waiting: _Waiting) -> None:
        """Until the request has its result or has to run a batch. Raises DEADLINE_EXCEEDED."""
        is_woken = waiting.woken.wait(waiting.seconds_left())
        self._observer.queued(servable.model, servable.version, time.monotonic() - waiting.since)
        if not is_woken and lane.withdraw(waiting):
            raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded while waiting for a run")

    def _run(self, servable: Servable, lane: _Lane, batch: list[_Waiting]) -> None:
        """Run for all of `batch`, whose first request this thread brought; then let the next ones run."""
        try:
            if len(batch) == 1 or not self._run_merged(servable, batch):
                for waiting in batch:
                    self._run_alone(servable, waiting)
        finally:
            lane.leave()
            for waiting in batch[1:]:
                waiting.woken.set()

    def _run_alone(self, servable: Servable, waiting: _Waiting) -> None:
        self._observer.batch(servable.model, servable.version, waiting.examples)
        try:
            waiting.result = servable.run(
                waiting.signature, waiting.inputs, waiting.outputs, _at_least_a_little(waiting.seconds_left())
            )
        except Exception as error:
            waiting.error = error

    def _run_merged(self, servable: Servable, batch: list[_Waiting]) -> bool:
        """False when each has to run by itself: one of them is at fault, or the rows do not match."""
        first = batch[0]
        merged = {
            alias: np.concatenate([waiting.inputs[alias] for waiting in batch]) for alias in first.inputs
        }
        examples = sum(waiting.examples for waiting in batch)
        try:
            arrays = servable.run(first.signature, merged, first.outputs, _longest(batch))
        except ServingError:
            return False
        if any(array.ndim == 0 or len(array) != examples for array in arrays):
            return False
        self._observer.batch(servable.model, servable.version, examples)
        start = 0
        for waiting in batch:
            end = start + waiting.examples
            waiting.result = [array[start:end] for array in arrays]
            start = end
        return True


def batch_size(signature: Signature, inputs: Mapping[str, Array]) -> int | None:
    """The examples of a request that may be merged; None where the signature or the request forbids it.

    Every input and output of the signature must leave its first dimension open, all inputs must have the
    same first dimension, and the request must bring every input of the signature in its type and shape.
    """
    if not signature.is_batched or inputs.keys() != signature.inputs.keys():
        return None
    if not all(signature.inputs[alias].accepts(array) for alias, array in inputs.items()):
        return None
    sizes = {len(array) for array in inputs.values()}
    size = sizes.pop()
    return size if not sizes and 0 < size <= MAX_EXAMPLES else None


def _longest(batch: list[_Waiting]) -> float | None:
    left = [waiting.seconds_left() for waiting in batch]
    known = [seconds for seconds in left if seconds is not None]
    return _at_least_a_little(max(known)) if len(known) == len(left) else None


def _at_least_a_little(seconds: float | None) -> float | None:
    """A millisecond is the shortest limit that TensorFlow knows; 0 would mean none."""
    return None if seconds is None else max(seconds, 0.001)
