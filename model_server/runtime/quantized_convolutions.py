"""Rewrites a graph so that its convolutions compute in 8-bit integers.

Post-training static quantization, as oneDNN's kernels in TensorFlow carry it out: weights are signed, each
filter with a scale of its own; activations are unsigned, with one scale for each, from the largest that was
observed (contract.activations). A convolution is rewritten between two Relus (quantizable.py): so the first
one, which sees raw pixels, stays in float, and so does everything of another shape. Between two that are
rewritten nothing is turned back to float. Whether the result serves is precision.py's business.

Scales as in Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow import make_tensor_proto

from model_server.runtime.graph_bodies import FLOAT, QINT8, QUINT8, Body, bodies, name_of
from model_server.runtime.quantizable import Block, Finder
from model_server.runtime.tensors import Array

LARGEST = 127
"""Of a weight, as a signed integer of 8 bits; as much below zero."""

_CONVOLUTION = "QuantizedConv2DWithBiasAndReluAndRequantize"
_DTYPES = {FLOAT: np.float32, QINT8: np.int8}

_Triple = tuple[str, str, str]
"""A quantised tensor and the two ends of its range."""


def quantize_convolutions(meta_graph: Any, maxima: Mapping[str, float]) -> list[str]:
    """Rewrite a MetaGraphDef in place; the names of the convolutions that were rewritten.

    `maxima`: the largest output of each Relu, by its name inside the function that holds it.
    """
    return [name for body in bodies(meta_graph) for name in _Quantizing(body, maxima).rewrite()]


class _Quantizing:
    """Of one body."""

    def __init__(self, body: Body, maxima: Mapping[str, float]) -> None:
        self._body, self._maxima = body, maxima
        self._nodes = body.by_name()
        self._finder = Finder(body, maxima)
        self._blocks = self._finder.blocks()
        self._triples: dict[str, _Triple] = {}

    def rewrite(self) -> list[str]:
        for name in self._blocks:
            self._triple(name)
        for block in self._blocks.values():
            self._turn_back(block.relu)
        return [block.convolution.name for block in self._blocks.values()]

    def _triple(self, name: str) -> _Triple:
        """What a Relu or a MaxPool after one gives, quantised; once."""
        if name not in self._triples:
            node = self._nodes[name]
            if name in self._blocks:
                self._triples[name] = self._convolved(self._blocks[name])
            elif node.op == "MaxPool" and name_of(node.input[0]) in self._blocks:
                self._triples[name] = self._pooled(node, self._triple(name_of(node.input[0])))
            else:
                self._triples[name] = self._quantized(node)
        return self._triples[name]

    def _quantized(self, node: Any) -> _Triple:
        observed = self._finder.observed(node.name) or node.name
        top = self._number(node, "maximum", self._maxima[observed])
        inputs = [node.name if self._body.function is None else f"{node.name}:{_output(node)}:0"]
        inputs += [self._number(node, "zero", 0.0), top]
        added = self._body.add(f"{node.name}/int8", "QuantizeV2", inputs, node.device, T=QUINT8)
        added.attr["mode"].s = b"SCALED"
        added.attr["round_mode"].s = b"HALF_TO_EVEN"
        return self._three(added)

    def _convolved(self, block: Block) -> _Triple:
        convolution, relu = block.convolution, block.relu
        image, low, high = self._triple(name_of(convolution.input[0]))
        scales = np.abs(block.filters).max(axis=(0, 1, 2))
        steps = np.where(scales > 0, scales, 1) / LARGEST
        inputs = [
            image,
            self._number(convolution, "filters", np.rint(block.filters / steps).astype(np.int8), QINT8),
            self._number(convolution, "bias", block.bias),
            low,
            high,
            self._number(convolution, "filters_low", -LARGEST * steps),
            self._number(convolution, "filters_high", LARGEST * steps),
            self._number(relu, "zero", 0.0),
            self._number(relu, "maximum", self._maxima[relu.name]),
        ]
        types = {"Tinput": QUINT8, "Tfilter": QINT8, "Tbias": FLOAT, "out_type": QUINT8}
        added = self._body.add(f"{convolution.name}/int8", _CONVOLUTION, inputs, convolution.device, **types)
        added.attr["padding"].CopyFrom(convolution.attr["padding"])
        added.attr["strides"].CopyFrom(convolution.attr["strides"])
        added.attr["dilations"].list.i.extend([1, 1, 1, 1])
        added.attr["padding_list"].list.SetInParent()
        triple = self._three(added)
        return triple if block.pool is None else self._pooled(block.pool, triple)

    def _pooled(self, pool: Any, triple: _Triple) -> _Triple:
        added = self._body.add(f"{pool.name}/int8", "QuantizedMaxPool", [*triple], pool.device, T=QUINT8)
        for attribute in ("ksize", "strides", "padding"):
            added.attr[attribute].CopyFrom(pool.attr[attribute])
        return self._three(added)

    def _turn_back(self, relu: Any) -> None:
        """The Relu's node gives the same numbers to whoever still asks for floats."""
        triple = self._triples[relu.name]
        relu.op = "Dequantize"
        del relu.input[:]
        relu.input.extend(triple)
        relu.attr.clear()
        relu.attr["T"].type = QUINT8
        relu.attr["dtype"].type = FLOAT
        relu.attr["mode"].s = b"SCALED"
        if self._body.function is not None:
            self._rename(f"{relu.name}:activations:0", self._body.output(relu))

    def _rename(self, before: str, after: str) -> None:
        for node in self._body.nodes:
            for place, reference in enumerate(node.input):
                if reference == before:
                    node.input[place] = after
        for name, reference in self._body.function.ret.items():
            if reference == before:
                self._body.function.ret[name] = after

    def _number(self, node: Any, role: str, value: Array | float, kind: int = FLOAT) -> str:
        """A constant beside the node; how it is referred to. The same one for a role that it has already."""
        name = f"{node.name}/int8/{role}"
        known = self._nodes.get(name)
        if known is None:
            known = self._nodes[name] = self._body.add(name, "Const", [], node.device, dtype=kind)
            known.attr["value"].tensor.CopyFrom(make_tensor_proto(value, _DTYPES[kind]))
            known.attr["value"].tensor.dtype = kind
        return self._body.output(known)

    def _three(self, node: Any) -> _Triple:
        return self._body.output(node), self._body.output(node, 1), self._body.output(node, 2)


def _output(node: Any) -> str:
    return "activations" if node.op == "Relu" else "output"
