"""Several requests in one call into TensorFlow: rows go in one after the other, and each gets its own back.

Who is put together with whom, and when, is decided by merging.py or, with --enable_batching, by batching.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array


class Observer(Protocol):
    """Told of every call into TensorFlow and of every wait for one."""

    def batch(self, model: str, version: int, examples: int) -> None:
        """TensorFlow was called once for that many examples."""
        ...

    def queued(self, model: str, version: int, seconds: float) -> None:
        """A request waited that long for its call."""
        ...

    def queued_for_batch(self, seconds: float) -> None:
        """The same with --enable_batching, as upstream counts it."""
        ...


Key = tuple[object, ...]


@dataclass(eq=False)
class Waiting:
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
    batch: list[Waiting] = field(default_factory=list)
    """Set for the request whose thread has to run all of these, itself among them."""
    result: list[Array] | None = None
    error: Exception | None = None

    def outcome(self) -> list[Array]:
        """The outputs, once there are any. Raises what the run raised."""
        if self.error is not None:
            raise self.error
        assert self.result is not None  # noqa: S101 (every run leaves one of the two)
        return self.result

    def seconds_left(self) -> float | None:
        """Until the deadline, never negative; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


def run(servable: Servable, batch: list[Waiting], observer: Observer, size: int = 0) -> None:
    """Give every request of `batch` its result or its error, by one call where that is possible.

    `size`: rows to fill the call up to, with copies of the first. A request that fails in company is run
    again by itself, so that nobody pays for another's mistake.
    """
    if (len(batch) > 1 or size > batch[0].examples) and _run_merged(servable, batch, observer, size):
        return
    for waiting in batch:
        _run_alone(servable, waiting, observer)


def _run_alone(servable: Servable, waiting: Waiting, observer: Observer) -> None:
    observer.batch(servable.model, servable.version, waiting.examples)
    try:
        waiting.result = servable.run(
            waiting.signature, waiting.inputs, waiting.outputs, _at_least_a_little(waiting.seconds_left())
        )
    except Exception as error:
        waiting.error = error


def _run_merged(servable: Servable, batch: list[Waiting], observer: Observer, size: int) -> bool:
    """False when each has to run by itself: one of them is at fault, or the rows do not match."""
    first = batch[0]
    examples = sum(waiting.examples for waiting in batch)
    missing = max(0, size - examples)
    try:
        merged = {alias: _joined([one.inputs[alias] for one in batch], missing) for alias in first.inputs}
        arrays = servable.run(first.signature, merged, first.outputs, _longest(batch))
    except Exception:
        return False  # each is told by itself what is wrong
    if any(array.ndim == 0 or len(array) != examples + missing for array in arrays):
        return False
    observer.batch(servable.model, servable.version, examples + missing)
    start = 0
    for waiting in batch:
        end = start + waiting.examples
        waiting.result = [array[start:end] for array in arrays]
        start = end
    return True


def _joined(arrays: Sequence[Array], missing: int) -> Array:
    """One array of all rows and `missing` copies of the first; rows of different shapes are filled up."""
    sizes = tuple(max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True))
    filled = [_filled(array, sizes) for array in arrays]
    return np.concatenate([*filled, np.repeat(filled[0][:1], missing, axis=0)])


def _filled(array: Array, sizes: tuple[int, ...]) -> Array:
    """Rows of these sizes, what is missing at their ends being the array's first value, as upstream's."""
    if array.shape[1:] == sizes or array.size == 0:
        return array
    filled = np.full((len(array), *sizes), array.flat[0], array.dtype)
    filled[tuple(slice(size) for size in array.shape)] = array
    return filled


def key_of(
    signature: Signature, inputs: Mapping[str, Array], outputs: Sequence[str], *, pads: bool = False
) -> Key:
    """Equal for requests that may share a call; with `pads`, rows need not be of one shape."""
    shapes = ((a.dtype.str, a.ndim if pads else a.shape[1:]) for a in inputs.values())
    return (signature.name, tuple(outputs), *shapes)


def batch_size(signature: Signature, inputs: Mapping[str, Array]) -> int | None:
    """The examples of a request that may share a call; None where the signature or the request forbids it.

    Every input and output of the signature must leave its first dimension open, all inputs must have the
    same first dimension, and the request must bring every input of the signature in its type and shape.
    """
    if not signature.is_batched or inputs.keys() != signature.inputs.keys():
        return None
    if not all(signature.inputs[alias].accepts(array) for alias, array in inputs.items()):
        return None
    sizes = {len(array) for array in inputs.values()}
    size = sizes.pop()
    return size if size and not sizes else None


def _longest(batch: list[Waiting]) -> float | None:
    left = [waiting.seconds_left() for waiting in batch]
    known = [seconds for seconds in left if seconds is not None]
    return _at_least_a_little(max(known)) if len(known) == len(left) else None


def _at_least_a_little(seconds: float | None) -> float | None:
    """A millisecond is the shortest limit that TensorFlow knows; 0 would mean none."""
    return None if seconds is None else max(seconds, 0.001)
