"""Our own batching, which needs no tuning: requests that wait while one runs are run together.

No timer and no thread of its own. A request that finds its servable free runs at once on the thread it came
on. Those that arrive while the servable is busy wait; when a run ends, the first of them takes along those
that fit, runs one call into TensorFlow for all and hands each its rows. So a lone caller pays nothing, and
under load batches grow by themselves to what the model needs. `--enable_batching` (batching.py) is upstream's
way instead.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence

from model_server.errors import Code, ServingError
from model_server.inference import together
from model_server.inference.together import Observer, Waiting, batch_size, key_of
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

MAX_EXAMPLES = 64
"""Of one merged call. A larger request runs alone, as large as it is."""

RUNS_AT_ONCE = 2
"""Of one servable: while one run keeps TensorFlow's threads busy, Python prepares the next."""


class _Lane:
    """The requests of one servable: at most `at_once` run, the others wait in the order they came."""

    def __init__(self, at_once: int) -> None:
        self._lock = threading.Lock()
        self._free = at_once
        self._queue: deque[Waiting] = deque()

    def enter(self, waiting: Waiting) -> bool:
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

    def _companions(self, first: Waiting) -> list[Waiting]:
        taken: list[Waiting] = []
        examples = first.examples
        for waiting in list(self._queue):
            if waiting.key == first.key and examples + waiting.examples <= MAX_EXAMPLES:
                taken.append(waiting)
                examples += waiting.examples
        for waiting in taken:
            self._queue.remove(waiting)
        return taken

    def withdraw(self, waiting: Waiting) -> bool:
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
        if examples is None or examples > MAX_EXAMPLES:
            return servable.run(signature, inputs, outputs, timeout_seconds)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        key = key_of(signature, inputs, outputs)
        waiting = Waiting(key, signature, inputs, outputs, examples, deadline)
        lane = self._lane(servable)
        if lane.enter(waiting):
            waiting.batch = [waiting]
        else:
            self._wait(servable, lane, waiting)
        if waiting.batch:
            self._run(servable, lane, waiting.batch)
        return waiting.outcome()

    def _lane(self, servable: Servable) -> _Lane:
        lane = self._lanes.get(servable)
        if lane is None:
            with self._opening:
                lane = self._lanes.setdefault(servable, _Lane(self._at_once))
        return lane

    def _wait(self, servable: Servable, lane: _Lane, waiting: Waiting) -> None:
        """Until the request has its result or has to run a batch. Raises DEADLINE_EXCEEDED."""
        is_woken = waiting.woken.wait(waiting.seconds_left())
        self._observer.queued(servable.model, servable.version, time.monotonic() - waiting.since)
        if not is_woken and lane.withdraw(waiting):
            raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded while waiting for a run")

    def _run(self, servable: Servable, lane: _Lane, batch: list[Waiting]) -> None:
        """Run for all of `batch`, whose first request this thread brought; then let the next ones run."""
        try:
            together.run(servable, batch, self._observer)
        finally:
            lane.leave()
            for waiting in batch[1:]:
                waiting.woken.set()
