"""How large the activations of a version become, for model servers that compute in 8-bit integers.

Observed on pictures of the data, because drawn ones drive a network's early stages higher and its late ones
less high than pictures do: with ranges from those, more labels change.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from contract.activations import MAXIMA, ActivationMaxima
from contract.layout import write_atomically
from trainer.version.served import SavedVersion

EXAMPLES = 512
"""Pictures that are looked at: with more, single outliers make every step of the scale coarser."""
BATCH = 128

_CALLS = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")
"""Inlining puts the names of the calls before those that a node has in its function."""


def write_maxima(served: SavedVersion, images: npt.NDArray[np.uint8], folder: Path) -> None:
    """Leave what `observe` finds in the version's directory; nothing where there is nothing."""
    found = observe(served, images)
    if found is not None:
        write_atomically(folder / MAXIMA, found.to_json())


def observe(served: SavedVersion, images: npt.NDArray[np.uint8]) -> ActivationMaxima | None:
    """The largest output of each Relu of `serving_default`; None where the network has none.

    Args:
        images: uint8 [N, H, W, 3], at least one; EXAMPLES of them, evenly spaced, are looked at.
    """
    chosen = images[:: max(1, len(images) // EXAMPLES)][:EXAMPLES]
    frozen = convert_variables_to_constants_v2(served.signature("serving_default"))
    relus = [operation for operation in frozen.graph.get_operations() if operation.type == "Relu"]
    if not relus:
        return None
    with frozen.graph.as_default():
        largest = tf.stack([tf.reduce_max(relu.outputs[0]) for relu in relus])
    ask = frozen.prune(frozen.inputs, largest)
    batches = (chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH))
    found = np.max([ask(tf.constant(batch)).numpy() for batch in batches], axis=0)
    maxima: dict[str, float] = {}
    for relu, value in zip(relus, found.tolist(), strict=True):
        name = _CALLS.sub("", relu.name)
        if value > 0:  # a Relu that is always zero has no scale
            maxima[name] = max(value, maxima.get(name, 0.0))
    return ActivationMaxima(examples=len(chosen), maxima=maxima)
