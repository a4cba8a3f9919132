"""Rewrites a graph so that its first convolutions lose nothing when grappler turns it to bfloat16.

bfloat16 has 8 significant bits. The first convolution of a network sees raw pixels, whose mean is large
beside what its filters look for: the filters' entries cancel each other, and rounding them costs more of the
answer than the rest of the network together (measured on the bundled model: it alone changes 23 of 5,000
labels, any other convolution 2 at most). So each weight is given as the sum of two bfloat16 numbers,
w = high + low, over an input that is repeated along its channels; the products are added in float32. Integer
pixels of 8 bits are bfloat16 numbers already; any other input is split in the same way, and the product
low · low is left out. On the bundled model the time stays what it was. Which graphs are rewritten, and
whether the result serves, is precision.py's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_server.runtime.graph_bodies import (
    BFLOAT16,
    BOOL,
    FLOAT,
    INT8,
    INT32,
    UINT8,
    Body,
    bodies,
    name_of,
)

_EXACT = frozenset({UINT8, INT8, BOOL})
"""Types whose every value is a bfloat16 number."""

_MOVES = frozenset({"Identity", "EnsureShape", "ExpandDims", "Pad", "Reshape", "Squeeze", "Transpose"})
"""Ops that leave values as they are."""

_PRODUCTS = frozenset(
    {"BatchMatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Einsum", "MatMul"}
)


def split_first_convolutions(meta_graph: Any) -> list[str]:
    """Rewrite a MetaGraphDef in place; the names of the convolutions that were rewritten."""
    return [name for body in bodies(meta_graph) for name in _Splitting(body).split()]


@dataclass(frozen=True)
class _Splitting:
    """Of the first convolutions in one body."""

    body: Body

    def split(self) -> Iterator[str]:
        by_name = self.body.by_name()
        for node in list(self.body.nodes):
            if _is_float_convolution(node) and not _is_after_product(node.input[0], by_name):
                self._split(node, is_exact=_is_exact(node.input[0], by_name))
                yield node.name

    def _split(self, convolution: Any, *, is_exact: bool) -> None:
        """Same outputs up to rounding: channels [x, x] · filters [hi, lo], or three products."""
        pixels, weights = convolution.input[0], convolution.input[1]
        weights_high, weights_low = self._halves(convolution, "filter", weights)
        inputs, filters = [pixels, pixels], [weights_high, weights_low]
        if not is_exact:
            high, low = self._halves(convolution, "input", pixels)
            inputs, filters = [high, low, high], [weights_high, weights_high, weights_low]
        convolution.input[0] = self._concatenated(convolution, "input", inputs, _channels(convolution))
        convolution.input[1] = self._concatenated(convolution, "filter", filters, 2)

    def _halves(self, convolution: Any, role: str, tensor: str) -> tuple[str, str]:
        rounded = self._add(convolution, f"{role}_rounded", "Cast", [tensor], SrcT=FLOAT, DstT=BFLOAT16)
        high = self._add(convolution, f"{role}_high", "Cast", [rounded], SrcT=BFLOAT16, DstT=FLOAT)
        return high, self._add(convolution, f"{role}_low", "Sub", [tensor, high], T=FLOAT)

    def _concatenated(self, convolution: Any, role: str, parts: Sequence[str], axis: int) -> str:
        number = self._add(convolution, f"{role}_axis", "Const", [], dtype=INT32)
        tensor = self.body.nodes[-1].attr["value"].tensor
        tensor.dtype = INT32
        tensor.tensor_shape.SetInParent()
        tensor.int_val.append(axis)
        name = f"{role}_parts"
        joined = self._add(convolution, name, "ConcatV2", [*parts, number], T=FLOAT, Tidx=INT32)
        self.body.nodes[-1].attr["N"].i = len(parts)
        return joined

    def _add(self, convolution: Any, role: str, op: str, inputs: Sequence[str], **types: int) -> str:
        """A node beside the convolution; how its output is referred to."""
        name = f"{convolution.name}/split/{role}"
        return self.body.output(self.body.add(name, op, [*inputs], convolution.device, **types))


def _is_float_convolution(node: Any) -> bool:
    return bool(node.op == "Conv2D" and node.attr["T"].type == FLOAT)


def _channels(convolution: Any) -> int:
    """The axis of the input's channels. An attribute that is absent stands for NHWC, and must not be made."""
    is_first = "data_format" in convolution.attr and convolution.attr["data_format"].s == b"NCHW"
    return 1 if is_first else 3


def _is_after_product(reference: str, by_name: Mapping[str, Any]) -> bool:
    """Whether what `reference` names was computed with weights already."""
    seen, waiting = set[str](), [reference]
    while waiting:
        node = by_name.get(name_of(waiting.pop()))
        if node is None or node.name in seen:
            continue
        if node.op in _PRODUCTS:
            return True
        seen.add(node.name)
        waiting.extend(node.input)
    return False


def _is_exact(reference: str, by_name: Mapping[str, Any]) -> bool:
    """Whether every value there is a bfloat16 number, being cast from an integer of 8 bits."""
    node = by_name.get(name_of(reference))
    while node is not None and node.op in _MOVES:
        node = by_name.get(name_of(node.input[0]))
    return node is not None and node.op == "Cast" and node.attr["SrcT"].type in _EXACT
