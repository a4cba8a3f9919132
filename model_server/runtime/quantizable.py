"""Finds the convolutions of a graph that may compute in 8-bit integers.

Conv2D → (MaxPool →) Relu with constant weights, on the output of a Relu, or of a MaxPool after one; biases
and normalisations after the convolution are folded into it (graph_constants.py). What is made of them is
quantized_convolutions.py's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_server.runtime.graph_bodies import FLOAT, Body, name_of
from model_server.runtime.graph_constants import Constants
from model_server.runtime.tensors import Array


@dataclass(frozen=True)
class Block:
    """A convolution and what follows it."""

    convolution: Any
    pool: Any
    """None where there is none."""
    relu: Any
    filters: Array
    """float32 [height, width, inputs, outputs]."""
    bias: Array
    """float32 [outputs]."""


@dataclass(frozen=True)
class _Scaled:
    """factor × convolution + offset."""

    convolution: Any
    factor: Array
    offset: Array


class Finder:
    """Of one body."""

    def __init__(self, body: Body, maxima: Mapping[str, float]) -> None:
        """`maxima`: the largest output of each Relu that was observed."""
        self._maxima = maxima
        self._nodes = body.by_name()
        self._constants = Constants(self._nodes)
        returned = body.function.ret.values() if body.function is not None else ()
        references = [*(one for node in body.nodes for one in node.input), *returned]
        self._uses = Counter(map(name_of, references))

    def blocks(self) -> dict[str, Block]:
        """By the name of the Relu that ends them."""
        found = (self._block(node) for node in self._nodes.values())
        return {block.relu.name: block for block in found if block is not None}

    def observed(self, name: str) -> str | None:
        """The Relu that this node is, or that it takes the largest numbers of, if it was observed."""
        node = self._node(name)
        if _is_op(node, "MaxPool") and _is_channels_last(node):
            node = self._node(node.input[0])
        return node.name if _is_op(node, "Relu") and node.name in self._maxima else None

    def _block(self, relu: Any) -> Block | None:
        if not _is_op(relu, "Relu") or relu.name not in self._maxima:
            return None
        before = self._only_used(relu.input[0])
        pool = before if _is_op(before, "MaxPool") and _is_channels_last(before) else None
        found = self._scaled(before if pool is None else self._only_used(pool.input[0]))
        if found is None or self.observed(name_of(found.convolution.input[0])) is None:
            return None
        filters = self._constants.value(found.convolution.input[1])
        if filters is None or filters.ndim != 4:
            return None
        factor, offset = (_for_each(filters.shape[-1], one) for one in (found.factor, found.offset))
        if factor is None or offset is None:
            return None
        return Block(found.convolution, pool, relu, filters * factor, offset)

    def _scaled(self, node: Any) -> _Scaled | None:
        """The convolution before a chain of sums and products with constants."""
        factor: Array = np.ones((), np.float32)
        offset: Array = np.zeros((), np.float32)
        while node is not None and not _is_plain_convolution(node):
            step = self._constants.affine(node)
            if step is None:
                return None
            reference, scale, shift = step
            factor, offset = factor * scale, factor * shift + offset
            node = self._only_used(reference)
        return None if node is None else _Scaled(node, factor, offset)

    def _node(self, reference: str) -> Any:
        """None for what comes from outside the body."""
        return self._nodes.get(name_of(reference))

    def _only_used(self, reference: str) -> Any:
        """The node, if nothing else uses it."""
        node = self._node(reference)
        return node if node is not None and self._uses[node.name] == 1 else None


def _for_each(filters: int, value: Array) -> Array | None:
    """[filters], from a number for each or one for all along the last axis."""
    if value.size not in (1, filters) or value.shape[-1:] not in ((), (1,), (filters,)):
        return None
    return np.broadcast_to(value.reshape(-1), (filters,))


def _is_op(node: Any, op: str) -> bool:
    """float32, where it has a type."""
    return node is not None and bool(node.op == op) and ("T" not in node.attr or node.attr["T"].type == FLOAT)


def _is_channels_last(node: Any) -> bool:
    """An attribute that is absent stands for NHWC, and must not be made."""
    return "data_format" not in node.attr or node.attr["data_format"].s == b"NHWC"


def _is_plain_convolution(node: Any) -> bool:
    """Neither dilated nor padded by hand."""
    if not _is_op(node, "Conv2D") or not _is_channels_last(node):
        return False
    dilations = node.attr["dilations"].list.i if "dilations" in node.attr else ()
    return node.attr["padding"].s in (b"SAME", b"VALID") and set(dilations) <= {1}
