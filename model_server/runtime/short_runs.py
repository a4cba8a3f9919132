"""Short runs are carried out by the thread that calls, and not handed over to TensorFlow's pool.

Handing a run over and waiting for it costs about 0.1 ms, a tenth of a small model's answer. On the calling
thread TensorFlow cannot give up when a deadline passes, so that is for runs of known length only: the graph
has no operation that loops or waits, and the last run of the signature says what a row takes. Within an
operation all of TensorFlow's threads work either way; what the calling thread does not do is run several
operations of one request at once.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session as tf_session

SHORT_SECONDS = 0.01
"""Beyond it, 0.1 ms are less than one per cent, and giving up at a deadline is worth more."""

_UNBOUNDED = ("While", "Enter", "For", "PyFunc", "BatchFunction", "MapDefun", "Dataset", "Iterator", "Queue")
"""In the names of operations that may take as long as they like, whatever the shapes of the inputs."""

_ON_THIS_THREAD = tf_session.TF_NewBufferFromString(
    tf.compat.v1.RunOptions(inter_op_thread_pool=-1).SerializeToString()
)
"""Shared by all runs, never deleted."""


class ShortRuns:
    """What is known about the length of one servable's runs. May be used from several threads at once."""

    def __init__(self, graph: Any, is_allowed: bool) -> None:
        """`graph`: the loaded tf.Graph."""
        self._is_allowed = is_allowed and not _may_take_long(graph.as_graph_def())
        self._row_seconds: dict[str, float] = {}

    def options(self, signature: str, rows: int) -> Any:
        """RunOptions for a run on this thread; None where it is not known to be short."""
        known = self._row_seconds.get(signature)
        is_short = known is not None and known * rows < SHORT_SECONDS
        return _ON_THIS_THREAD if is_short else None

    def took(self, signature: str, rows: int, seconds: float) -> None:
        """A run has ended."""
        if self._is_allowed:
            self._row_seconds[signature] = seconds / max(1, rows)


def _may_take_long(graph: Any) -> bool:
    operations = {node.op for node in graph.node}
    operations.update(node.op for function in graph.library.function for node in function.node_def)
    return any(name in operation for operation in operations for name in _UNBOUNDED)
