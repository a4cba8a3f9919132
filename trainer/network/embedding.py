"""What a network's head sees: the vector before its last dense layer, by which pictures can be compared.

Found in the graph and not by a name, so that one rule holds for networks of ours, for a head on a backbone
and for what others trained.
"""

from __future__ import annotations

import keras

WIDEST = 8192
"""Numbers in an embedding; a flattened map of features is wider, and too long for an answer."""

_BEHIND_THE_HEAD = (
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Softmax,
)


def with_embedding(network: keras.Model) -> keras.Model | None:
    """The same network with two outputs, its own and float [N, D]; None where no dense layer ends it."""
    seen = _seen_by_head(network)
    return None if seen is None else keras.Model(network.inputs[0], [network.outputs[0], seen])


def _seen_by_head(network: keras.Model) -> keras.KerasTensor | None:
    layer, seen = _made_by(network.outputs[0])
    while isinstance(layer, _BEHIND_THE_HEAD):
        layer, seen = _made_by(seen)
    if not isinstance(layer, keras.layers.Dense):
        return None
    is_vector = len(seen.shape) == 2 and seen.shape[1] is not None and seen.shape[1] <= WIDEST
    return seen if is_vector else None


def _made_by(tensor: keras.KerasTensor) -> tuple[keras.Operation, keras.KerasTensor]:
    """The layer behind a tensor and its first input; `layer.input` would be that of its first call."""
    layer, call, _ = tensor._keras_history
    inputs = layer._inbound_nodes[call].input_tensors
    return layer, inputs[0] if inputs else tensor
