"""What a fit computes on: one device or many, in one process or several, as tf.distribute sees them.

A batch is divided among the replicas, each on a device of its own. Worker 0 is the chief: it alone reads and
writes files of the run, and what it decides reaches the other workers by `from_chief`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.values import Record

R = TypeVar("R", bound=Record)
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Devices:
    """A strategy, and this process's place in it."""

    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    worker: int = 0
    workers: int = 1

    @property
    def is_chief(self) -> bool:
        """True for the process that speaks for the run."""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        """In all workers together."""
        return int(self.strategy.num_replicas_in_sync)

    def batch_for(self, batch_size: int) -> int:
        """The batch size, lowered to a multiple of the replicas, but not below one picture each."""
        return max(batch_size // self.replicas, 1) * self.replicas

    def divided(self, rows: Array) -> Any:
        """Each replica's equal part of an array [N, ...]; N is a multiple of the replicas."""
        size = len(rows) // self.replicas

        def part(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            start = int(context.replica_id_in_sync_group) * size
            return tf.constant(rows[start : start + size])

        return self.strategy.experimental_distribute_values_from_function(part)

    def from_chief(self, values: Sequence[Array]) -> list[Array]:
        """The chief's values in every worker; all workers must call, with equal shapes.

        They travel as one vector of float64, which holds float32 and the integers of a step count exactly.
        """
        if self.workers == 1:
            return list(values)
        flat = np.concatenate([np.asarray(value, np.float64).ravel() for value in values])
        received = self._summed(flat if self.is_chief else np.zeros_like(flat))
        ends = np.cumsum([np.size(value) for value in values])[:-1]
        return [
            part.reshape(np.shape(value)).astype(value.dtype)
            for part, value in zip(np.split(received, ends), values, strict=True)
        ]

    def record_from_chief(self, kind: type[R], make: Callable[[], R]) -> R:
        """What the chief makes, in every worker; all workers must call, the chief alone makes it."""
        if self.workers == 1:
            return make()
        text = np.frombuffer(make().to_json() if self.is_chief else b"", np.uint8)
        (size,) = self.from_chief([np.array([len(text)], np.int64)])
        (received,) = self.from_chief([text if self.is_chief else np.zeros(int(size[0]), np.uint8)])
        return kind.model_validate_json(received.tobytes())

    def any_of(self, is_true: bool) -> bool:
        """True in every worker where it is true in one; all workers must call."""
        if self.workers == 1:
            return is_true
        return bool(self._summed(np.array([float(is_true)]))[0])

    def _summed(self, values: Array) -> Array:
        """The sum over the workers, of which the first replica of each adds its values."""

        def part(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            is_first = int(context.replica_id_in_sync_group) == self.worker * self.replicas // self.workers
            return tf.constant(values if is_first else np.zeros_like(values))

        parts = self.strategy.experimental_distribute_values_from_function(part)
        return np.asarray(self.strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None))


def replica_id() -> Any:
    """Within a step: which replica this is, 0 for the first."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group
