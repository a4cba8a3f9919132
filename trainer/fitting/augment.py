"""Augmentation inside the graph: crop, flip and cutout of a uint8 batch.

Every random choice is a function of (seed, step), so a resumed run sees the pictures that it would
have seen. Flips alternate: a random half of the pictures in even epochs, the other half in odd ones.
"""

from __future__ import annotations

import tensorflow as tf


def augment(
    images: tf.Tensor, is_flipped: tf.Tensor, seed: tf.Tensor, *, padding: int, cutout: int
) -> tf.Tensor:
    """Crop, flip and blank a square of each picture.

    Args:
        images: uint8, [N, H, W, C], 0–255: RGB, or several pictures side by side in C that are treated alike.
        is_flipped: bool, [N]; which pictures to mirror.
        seed: int32, [2]; (seed, step).
        padding: pixels of reflected border for the crop.
        cutout: side of the blanked square in pixels.

    Returns:
        uint8, [N, H, W, C].
    """
    return _cut_out(_crop_and_flip(images, is_flipped, seed, padding), seed, cutout)


def _crop_and_flip(images: tf.Tensor, is_flipped: tf.Tensor, seed: tf.Tensor, padding: int) -> tf.Tensor:
    """One gather along each axis does both: a mirrored crop is a crop with its columns reversed."""
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    border = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    padded = tf.pad(images, border, mode="REFLECT")
    offsets = tf.random.stateless_uniform([2, count, 1], seed, 0, 2 * padding + 1, tf.int32)
    rows = offsets[0] + tf.range(height)
    columns = tf.where(is_flipped[:, None], width - 1 - tf.range(width), tf.range(width)) + offsets[1]
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(cropped, images.shape)


def _cut_out(images: tf.Tensor, seed: tf.Tensor, side: int) -> tf.Tensor:
    """Blank a square with the batch's mean colour, which the normalisation turns into about 0."""
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    corner_seed = seed + tf.constant([1_000_003, 0])
    top = tf.random.stateless_uniform([count, 1], corner_seed, 0, height - side + 1, tf.int32)
    left = tf.random.stateless_uniform([count, 1], corner_seed + 1, 0, width - side + 1, tf.int32)
    in_rows = (tf.range(height) >= top) & (tf.range(height) < top + side)
    in_columns = (tf.range(width) >= left) & (tf.range(width) < left + side)
    is_blank = (in_rows[:, :, None] & in_columns[:, None, :])[..., None]
    mean = tf.cast(tf.reduce_mean(tf.cast(images, tf.float32), axis=[0, 1, 2]), tf.uint8)
    return tf.where(is_blank, mean, images)
