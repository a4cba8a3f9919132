"""Short runs are carried out by the thread that calls, and not handed over to TensorFlow's pool.

Handing a run over and waiting for it costs about 0.1 ms, a tenth of a small model's answer. On the calling
thread TensorFlow cannot give up when a deadline passes, so that is for runs of known length only: nothing
that the signature computes loops or waits, and its last run says what a row takes. Within an
operation all of TensorFlow's threads work either way; what the calling thread does not do is run several
operations of one request at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session as tf_session

from model_server.runtime.signatures import Signature

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

    def __init__(self, graph: Any, signatures: Mapping[str, Signature], is_allowed: bool = True) -> None:
        """`graph`: the GraphDef that was loaded; it is read, and not kept: it may hold all weights."""
        nodes = {node.name: node for node in graph.node}
        functions = {each.signature.name: each.node_def for each in graph.library.function}
        self._bounded = frozenset(
            name
            for name, signature in signatures.items()
            if is_allowed and not _may_take_long(nodes, signature, functions)
        )
        self._row_seconds: dict[str, float] = {}

    def options(self, signature: str, rows: int) -> Any:
        """RunOptions for a run on this thread; None where it is not known to be short."""
        known = self._row_seconds.get(signature)
        is_short = known is not None and known * rows < SHORT_SECONDS
        return _ON_THIS_THREAD if is_short else None

    def took(self, signature: str, rows: int, seconds: float) -> None:
        """A run has ended."""
        if signature in self._bounded:
            self._row_seconds[signature] = seconds / max(1, rows)


def _may_take_long(nodes: Mapping[str, Any], signature: Signature, functions: Mapping[str, Any]) -> bool:
    waiting = [_node_of(spec.tensor_name) for spec in signature.outputs.values()]
    reached: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in reached:
            reached[name] = nodes[name]
            waiting += map(_node_of, nodes[name].input)
    kinds = set(_kinds(reached.values(), functions, set()))
    return any(name in kind for kind in kinds for name in _UNBOUNDED)


def _node_of(tensor: str) -> str:
    """`name:0`, or `^name` for what only has to be run before."""
    return tensor.removeprefix("^").partition(":")[0]


def _kinds(nodes: Iterable[Any], functions: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    """The operations, and those of the functions that they call."""
    for node in nodes:
        yield node.op
        for value in node.attr.values():
            for called in (value.func, *value.list.func):
                if called.name in functions and called.name not in seen:
                    seen.add(called.name)
                    yield from _kinds(functions[called.name], functions, seen)
