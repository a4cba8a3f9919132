"""The network of a fine-tune: the parent's weights, and a head that knows the new classes too."""

from __future__ import annotations

import keras
import numpy as np

from trainer.errors import ParentError
from trainer.network import model
from trainer.version import stable


def load(parent: stable.Parent) -> keras.Model:
    """The parent's unfolded network, float32. Raises ParentError."""
    try:
        network = keras.models.load_model(parent.weights, compile=False)
    except (OSError, ValueError) as error:
        raise ParentError(f"{parent.weights} cannot be read: {error}") from error
    if not all(np.isfinite(weights).all() for weights in network.get_weights()):
        raise ParentError(f"{parent.weights} holds weights that are no numbers; train in full (start none)")
    return network


def grown(
    known: keras.Model,
    architecture: model.Architecture,
    seed: int,
    precision: str,
) -> keras.Model:
    """The parent as a network that trains; new columns of the head start at random, old ones stay.

    Args:
        known: the same network with as many classes or fewer, in the same order.
        architecture: with the candidate's number of classes.
        seed: of the new columns.
        precision: a Keras dtype policy.

    Raises ParentError when the weights do not fit.
    """
    try:
        mean, deviation = model.normalisation(known)
        network = model.build(
            architecture, mean, deviation, seed, precision, norm=model.FusedBatchNormalization
        )
        for layer in network.layers:
            _take_over(layer, known.get_layer(layer.name).get_weights())
    except ValueError as error:
        raise ParentError(f"the parent's weights are not those of this network: {error}") from error
    return network


def _take_over(layer: keras.layers.Layer, weights: list[np.ndarray]) -> None:
    if layer.name == "head":
        own, [kernel] = layer.get_weights(), weights
        columns = own[0].copy()
        columns[:, : kernel.shape[1]] = kernel
        weights = [columns]
    layer.set_weights(weights)
