"""Exports a small but real version for the tests of the whole stack: `python export_tiny.py FOLDER`.

The ten labels of CIFAR-10; the score of a class rises with one colour channel, so that red, green and blue
pictures get different labels.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tiny_card import LABELS, card

folder = Path(sys.argv[1])
weights = np.random.default_rng(1).normal(size=(3, len(LABELS))).astype(np.float32)


class Tiny(tf.Module):
    """Mean colour, one dense layer, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(8 * weights)

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.uint8, "images")])
    def predict(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 [N, 32, 32, 3] → float32 [N, 10], rows sum to 1."""
        colours = tf.reduce_mean(tf.cast(images, tf.float32) / 255, axis=[1, 2])
        return {"probabilities": tf.nn.softmax(colours @ self.weights)}


model = Tiny()
tf.saved_model.save(model, str(folder), signatures={"serving_default": model.predict})
(folder / "model_card.json").write_bytes(card("tiny-1").to_json())
