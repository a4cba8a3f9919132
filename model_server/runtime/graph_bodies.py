"""The main graph and the functions of a GraphDef, which refer to outputs in different ways.

`name:1` in the main graph is `name:output_min:0` in a function. Whoever rewrites nodes adds them here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FLOAT, UINT8, INT8, BOOL, INT32, QINT8, QUINT8, BFLOAT16 = 1, 4, 6, 10, 3, 11, 12, 14
"""types.proto."""

_OUTPUTS = {
    "Cast": ("y",),
    "ConcatV2": ("output",),
    "Const": ("output",),
    "Dequantize": ("output",),
    "QuantizeV2": ("output", "output_min", "output_max"),
    "QuantizedConv2DWithBiasAndReluAndRequantize": ("output", "min_output", "max_output"),
    "QuantizedMaxPool": ("output", "min_output", "max_output"),
    "Sub": ("z",),
}
"""What the operations that are added call their outputs."""


@dataclass(frozen=True)
class Body:
    """The nodes of the main graph or of one function."""

    nodes: Any
    function: Any = None
    """The FunctionDef; None: the main graph."""

    def by_name(self) -> dict[str, Any]:
        """The nodes that there are now."""
        return {node.name: node for node in self.nodes}

    def add(self, name: str, op: str, inputs: list[str], device: str = "", **types: int) -> Any:
        """A node more, with attributes that are types; the caller sets the others."""
        node = self.nodes.add(name=name, op=op, device=device)
        node.input.extend(inputs)
        for attribute, number in types.items():
            node.attr[attribute].type = number
        return node

    def output(self, node: Any, number: int = 0) -> str:
        """How an output of a node that was added is referred to."""
        if self.function is not None:
            return f"{node.name}:{_OUTPUTS[node.op][number]}:0"
        return f"{node.name}:{number}" if number else str(node.name)


def bodies(meta_graph: Any) -> Iterator[Body]:
    """Of a MetaGraphDef."""
    graph = meta_graph.graph_def
    yield Body(graph.node)
    for function in graph.library.function:
        yield Body(function.node_def, function)


def name_of(reference: str) -> str:
    """`name`, `name:0`, `name:output:0` and `^name` all name a node."""
    return reference.removeprefix("^").split(":", 1)[0]
