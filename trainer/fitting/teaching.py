"""Who says what a fine-tune's pictures shall be answered: their labels, the parent, or both.

The parent is asked about each picture as the step shows it: cropped, mirrored and blanked alike, but without
the change where all pictures have changed. An answer to another view would teach something else than what it
knows (Beyer and others, "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.arrays import FloatArray


@dataclass(frozen=True)
class Teaching:
    """Of N examples."""

    teacher: keras.Model
    """Float [N, H, W, 3] in 0–255 → logits of its classes, which are the first of all."""
    labels: FloatArray
    """float32 [N, classes], rows sum to 1: what the labels say."""
    views: npt.NDArray[np.int64]
    """[N]: the example whose picture the teacher is shown."""
    shares: FloatArray
    """float32 [N], 0–1: of the teacher's answer; the rest is the label's."""

    def rows(
        self, images: npt.NDArray[np.uint8], batch: npt.NDArray[np.int64]
    ) -> tuple[FloatArray, npt.NDArray[np.uint8], FloatArray]:
        """Labels, the pictures for the teacher and its shares, of some examples; `images` of all of them."""
        return self.labels[batch], images[self.views[batch]], self.shares[batch]

    def answers(self, labels: tf.Tensor, pictures: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
        """float32 [N, classes], what shall be answered, in the graph; of a class unknown to it, the teacher
        gives nothing."""
        taught = tf.nn.softmax(self.teacher(tf.cast(pictures, tf.float32), training=False))
        taught = tf.pad(taught, [[0, 0], [0, labels.shape[1] - taught.shape[1]]])
        return shares[:, None] * taught + (1 - shares[:, None]) * labels
