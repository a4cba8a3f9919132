"""--enable_batching: upstream's batching, with a timeout, a bounded queue and allowed sizes.

Each signature of a servable has a queue of batches. A request joins the last one or opens the next; a batch
is due when it is full or its first request has waited long enough; a pool of threads that all queues share
runs what is due. A full queue refuses (UNAVAILABLE). Where upstream lets a failing batch fail all its
requests, here each is run again by itself (together.py).
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model_server.errors import Code, ServingError, invalid_argument
from model_server.inference import batch_parameters, together
from model_server.inference.batch_parameters import PER_MODEL, BatchParameters
from model_server.inference.together import Key, Observer, Waiting, batch_size, key_of
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array


@dataclass(eq=False)
class _Batch:
    """Requests that will run together."""

    servable: Servable
    parameters: BatchParameters
    requests: list[Waiting] = field(default_factory=list)
    examples: int = 0
    opened: float = field(default_factory=time.monotonic)

    def fits(self, waiting: Waiting) -> bool:
        """Whether one more request may join."""
        return self.examples + waiting.examples <= self.parameters.largest_run

    def add(self, waiting: Waiting) -> None:
        """One more request."""
        self.requests.append(waiting)
        self.examples += waiting.examples

    def due(self, is_last: bool) -> float:
        """The moment at which it may run: at once when no further request can join."""
        if not is_last or self.examples >= self.parameters.largest_run:
            return 0.0
        return self.opened + self.parameters.batch_timeout_seconds


class BatchingRun:
    """A `Run` (predict.py) that forms batches as its parameters say."""

    def __init__(
        self, parameters: BatchParameters, observer: Observer, reads_per_model: bool = False
    ) -> None:
        """`reads_per_model`: batching_params.pbtxt of a version holds for it, but for the threads."""
        self._parameters = parameters
        self._observer = observer
        self._reads_per_model = reads_per_model
        self._of_servable: weakref.WeakKeyDictionary[Servable, BatchParameters] = weakref.WeakKeyDictionary()
        self._changed = threading.Condition()
        self._queues: dict[tuple[int, Key], deque[_Batch]] = {}
        for number in range(parameters.threads):
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True).start()

    def __call__(
        self,
        servable: Servable,
        signature: Signature,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
        timeout_seconds: float | None,
    ) -> list[Array]:
        """Answer one request in a batch. Raises ServingError."""
        examples = batch_size(signature, inputs)
        if examples is None:
            return servable.run(signature, inputs, outputs, timeout_seconds)
        parameters = self._parameters_of(servable)
        if examples > parameters.max_batch_size:
            raise invalid_argument(
                f"Task size {examples} is larger than maximum input batch size {parameters.max_batch_size}"
            )
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        key = key_of(signature, inputs, outputs, pads=parameters.pads_inputs)
        parts = [
            Waiting(key, signature, part, outputs, len(next(iter(part.values()))), deadline)
            for part in _parts(inputs, examples, parameters.largest_run)
        ]
        self._enqueue(servable, parameters, parts)
        return _put_together([self._wait(servable, waiting) for waiting in parts])

    def _parameters_of(self, servable: Servable) -> BatchParameters:
        if not self._reads_per_model:
            return self._parameters
        found = self._of_servable.get(servable)
        if found is None:
            path = Path(servable.path) / PER_MODEL
            found = batch_parameters.read(path) if path.is_file() else BatchParameters()
            self._of_servable[servable] = found
        return found

    def _enqueue(self, servable: Servable, parameters: BatchParameters, parts: Sequence[Waiting]) -> None:
        with self._changed:
            queue = self._queues.setdefault((id(servable), parts[0].key), deque())
            free = parameters.max_enqueued_batches - len(queue)
            if not (queue and len(parts) == 1 and queue[-1].fits(parts[0])) and free < len(parts):
                raise ServingError(
                    Code.UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full"
                )
            for waiting in parts:
                if not queue or not queue[-1].fits(waiting):
                    queue.append(_Batch(servable, parameters))
                queue[-1].add(waiting)
            self._changed.notify_all()

    def _wait(self, servable: Servable, waiting: Waiting) -> list[Array]:
        if not waiting.woken.wait(waiting.seconds_left()):
            raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded while waiting for a batch")
        return waiting.outcome()

    def _work(self) -> None:
        while True:
            batch = self._next()
            now = time.monotonic()
            for waiting in batch.requests:
                self._observer.queued(batch.servable.model, batch.servable.version, now - waiting.since)
                self._observer.queued_for_batch(now - waiting.since)
            size = batch.parameters.padded(batch.examples)
            together.run(batch.servable, batch.requests, self._observer, size)
            for waiting in batch.requests:
                waiting.woken.set()
            del batch  # or the thread would hold the servable until the next one

    def _next(self) -> _Batch:
        """The batch that is due first; waits for it."""
        with self._changed:
            while True:
                due = [(queue[0].due(len(queue) == 1), key) for key, queue in self._queues.items()]
                moment, key = min(due, key=lambda entry: entry[0], default=(None, None))
                now = time.monotonic()
                if key is not None and moment is not None and moment <= now:
                    queue = self._queues[key]
                    batch = queue.popleft()
                    if not queue:
                        del self._queues[key]
                    return batch
                self._changed.wait(None if moment is None else moment - now)


def _parts(inputs: Mapping[str, Array], examples: int, largest: int) -> list[Mapping[str, Array]]:
    if examples <= largest:
        return [inputs]
    starts = range(0, examples, largest)
    return [{alias: array[start : start + largest] for alias, array in inputs.items()} for start in starts]


def _put_together(parts: list[list[Array]]) -> list[Array]:
    """Raises ServingError (INTERNAL) where parts were filled up to different sizes, as upstream does."""
    try:
        return parts[0] if len(parts) == 1 else [np.concatenate(found) for found in zip(*parts, strict=True)]
    except ValueError as error:
        raise ServingError(Code.INTERNAL, f"Tensor concat operation failed: {error}") from None
