"""Models as other people save them: they name the colours of drawing.py, without a card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIDE = 24
LABELS = ["red", "green", "blue"]
"""Not in the order of the folders."""


def colour_weights(sharpness: float = 20.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 [3, 3]: the logit of each of LABELS grows with its channel's mean."""
    return (sharpness * (np.eye(3) - 1 / 3)).astype(np.float32)


def keras_model(
    *,
    size: tuple[int | None, int | None] = (SIDE, SIDE),
    activation: str | None = None,
    batch: int | None = None,
    classes: int = 3,
    channels: int = 3,
) -> Any:
    """Mean colour → dense layer, for pictures in 0–1."""
    import keras

    inputs = keras.Input((*size, channels), batch_size=batch, name="x")
    dense = keras.layers.Dense(classes, activation=activation, use_bias=False)
    network = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(inputs)))
    if (channels, classes) == (3, 3):
        dense.set_weights([colour_weights()])
    return network


def save_keras(path: Path, **options: Any) -> Path:
    """`path`, a .keras or .h5 file."""
    keras_model(**options).save(path)
    return path


def save_exported(path: Path, **options: Any) -> Path:
    """`path`, a SavedModel as `model.export` writes it."""
    keras_model(**options).export(path, verbose=False)
    return path


def save_channels_first(path: Path, weights: Any = None) -> Path:
    """`path`, a SavedModel with a variable, float32 [N, 3, H, W] in −1–1, and a second output."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = tf.Variable(colour_weights() if weights is None else weights)

    @tf.function(input_signature=[tf.TensorSpec([None, 3, SIDE, SIDE], tf.float32, name="pixels")])
    def infer(pixels: Any) -> Any:
        logits = tf.reduce_mean(pixels, axis=[2, 3]) @ module.weights
        return {"scores": tf.nn.softmax(logits), "index": tf.argmax(logits, axis=1)}

    tf.saved_model.save(module, str(path), signatures={"infer": infer})
    return path


def save_sigmoid(path: Path) -> Path:
    """`path`, a .keras file with one output: how blue a picture in 0–1 is against red."""
    network = keras_model(classes=1, activation="sigmoid")
    network.layers[-1].set_weights([np.array([[-20.0], [0.0], [20.0]], np.float32)])
    network.save(path)
    return path
