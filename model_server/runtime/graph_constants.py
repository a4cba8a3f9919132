"""What constants of a graph come to, and which operations only scale and shift by them.

As far as biases and normalisations need it: exporters write these as sums and products of constants, which
TensorFlow itself folds when a session optimises the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tensorflow import make_ndarray

from model_server.runtime.graph_bodies import FLOAT, name_of
from model_server.runtime.tensors import Array

_SAME = frozenset({"Identity", "Reshape", "Squeeze", "ExpandDims"})
"""Leave the numbers of a constant as they are; of its shape only the number of filters counts here."""
_COMPUTED: Mapping[str, Callable[..., Array]] = {
    "Add": np.add,
    "AddV2": np.add,
    "Mul": np.multiply,
    "Rsqrt": lambda value: np.float32(1) / np.sqrt(value),
    "Sub": np.subtract,
}
_NORMALISATIONS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_EPSILON = 0.0001
"""Of a normalisation that does not state it."""

Affine = tuple[str, Array, Array]
"""The input of an operation, and by what it is multiplied before what is added."""


class Constants:
    """Of one body."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self._nodes = nodes

    def value(self, reference: str) -> Array | None:
        """float32; None for what is no constant, and for one of another type."""
        node = self._nodes.get(name_of(reference))
        if node is None:
            return None
        if node.op == "Const":
            is_float = node.attr["dtype"].type == FLOAT
            return np.asarray(make_ndarray(node.attr["value"].tensor)) if is_float else None
        if node.op in _SAME:
            return self.value(node.input[0])
        if node.op in _COMPUTED:
            values = [self.value(one) for one in node.input]
            return None if any(one is None for one in values) else _COMPUTED[node.op](*values)
        return None

    def affine(self, node: Any) -> Affine | None:
        """Of a sum or a product with a constant, or a normalisation by constants, channels last."""
        if "data_format" in node.attr and node.attr["data_format"].s != b"NHWC":
            return None
        if node.op in _NORMALISATIONS:
            return self._normalised(node)
        if node.op not in ("Add", "AddV2", "BiasAdd", "Mul"):
            return None
        for reference, other in (node.input[:2], node.input[1::-1]):
            constant = self.value(other)
            if constant is not None:
                none, one = np.zeros((), np.float32), np.ones((), np.float32)
                return (reference, constant, none) if node.op == "Mul" else (reference, one, constant)
        return None

    def _normalised(self, node: Any) -> Affine | None:
        constants = [self.value(one) for one in node.input[1:]]
        if any(one is None or not one.size for one in constants):
            return None  # one that is trained has no mean yet
        scale, offset, mean, variance = map(np.asarray, constants)
        epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else _EPSILON
        factor = scale / np.sqrt(variance + np.float32(epsilon))
        return node.input[0], factor, offset - mean * factor
