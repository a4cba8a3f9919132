"""--batching_parameters_file and batching_params.pbtxt: upstream's BatchingParameters, checked."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from model_server import config_files
from model_server.errors import invalid_argument
from model_server.runtime.cpus import thread_count

PER_MODEL = "batching_params.pbtxt"
"""In a version's directory, for --enable_per_model_batching_parameters."""


@dataclass(frozen=True)
class BatchParameters:
    """How batches are formed; the defaults are upstream's."""

    max_batch_size: int = 1000
    """Examples of a batch, and of the largest request."""
    batch_timeout_seconds: float = 0.0
    """How long the first request of a batch waits for others."""
    max_enqueued_batches: int = 10
    """Batches of a signature that may wait; beyond, requests are refused."""
    num_batch_threads: int = 0
    """Batches that run at a time; 0: as many as there are CPUs."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """Ascending; a batch is filled up to the next one. Empty: any size."""
    max_execution_batch_size: int = 0
    """Larger requests are split into batches of this; 0: none is."""
    pads_inputs: bool = False
    """Whether requests whose rows are of different shapes share a batch, filled up to the largest."""

    @property
    def threads(self) -> int:
        """Batches that run at a time."""
        return self.num_batch_threads or thread_count()

    @property
    def largest_run(self) -> int:
        """Examples of the largest call."""
        return self.max_execution_batch_size or self.max_batch_size

    def padded(self, examples: int) -> int:
        """The size up to which a batch is filled."""
        position = bisect_left(self.allowed_batch_sizes, examples)
        return self.allowed_batch_sizes[position] if position < len(self.allowed_batch_sizes) else examples


def read(path: Path) -> BatchParameters:
    """Read a file. Raises ServingError (INVALID_ARGUMENT), OSError."""
    message = config_files.read("BatchingParameters", path)
    values = {
        "max_batch_size": _positive(message, "max_batch_size"),
        "max_enqueued_batches": _positive(message, "max_enqueued_batches"),
        "num_batch_threads": _positive(message, "num_batch_threads"),
    }
    parameters = BatchParameters(
        **{name: value for name, value in values.items() if value is not None},
        batch_timeout_seconds=max(0, message.batch_timeout_micros.value) / 1e6,
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        max_execution_batch_size=_largest_run(message),
        pads_inputs=message.pad_variable_length_inputs,
    )
    _check_sizes(parameters)
    return parameters


def _positive(message: Any, name: str) -> int | None:
    if not message.HasField(name):
        return None
    value: int = getattr(message, name).value
    if value < 1:
        raise invalid_argument(f"{name} must be positive, got {value}")
    return value


def _largest_run(message: Any) -> int:
    if not message.enable_large_batch_splitting.value:
        return 0
    return _positive(message, "max_execution_batch_size") or _positive(message, "max_batch_size") or 0


def _check_sizes(parameters: BatchParameters) -> None:
    sizes = parameters.allowed_batch_sizes
    if not sizes:
        return
    if any(later <= earlier for earlier, later in pairwise(sizes)) or sizes[0] < 1:
        raise invalid_argument("allowed_batch_sizes entries must be monotonically increasing")
    if sizes[-1] != parameters.largest_run:
        name = "max_execution_batch_size" if parameters.max_execution_batch_size else "max_batch_size"
        raise invalid_argument(
            f"final entry in allowed_batch_sizes must equal {name}; "
            f"got {sizes[-1]} and {parameters.largest_run}"
        )
