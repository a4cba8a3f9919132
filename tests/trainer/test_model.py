"""The network, its folding and its augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

SIDE, CLASSES = 24, 3


@pytest.fixture(scope="module")
def pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """uint8 [64, 24, 24, 3] with structure: smooth gradients of random colours."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, SIDE)[None, :, None, None] * rng.integers(0, 200, (64, 1, 1, 3))
    return (ramp + rng.integers(0, 55, (64, SIDE, SIDE, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def network(pixels: Any) -> Any:
    """A network whose running statistics and shifts are not the initial ones."""
    import keras

    from trainer.network import model

    mean, deviation = model.channel_statistics(pixels)
    architecture = model.Architecture(SIDE, SIDE, CLASSES, (8, 16, 16))
    network = model.build(architecture, mean, deviation, seed=1)
    model.whiten(network, pixels, mean, deviation)
    rng = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.beta.shape[0]
            layer.set_weights([rng.normal(size=width), rng.normal(size=width), rng.uniform(0.3, 3, width)])
    return network


def test_folding_changes_no_output(network: Any, pixels: Any) -> None:
    """The network that serves answers as the one that trained, up to rounding."""
    from trainer.network import model

    folded = model.fold(network, model.Architecture(SIDE, SIDE, CLASSES, (8, 16, 16)))
    images = pixels.astype(np.float32)
    np.testing.assert_allclose(folded(images), network(images), atol=1e-4)
    assert not any("norm" in layer.name for layer in folded.layers)


def test_whitening_gives_patches_unit_variance(network: Any, pixels: Any) -> None:
    """The first stage's filters turn 2×2 patches into uncorrelated values of about unit variance."""
    import tensorflow as tf

    normalised = network.get_layer("normalise")(pixels.astype(np.float32))
    responses = tf.nn.conv2d(normalised, network.get_layer("whitening").kernel.value, 1, "VALID")
    covariance = np.cov(np.reshape(responses, (-1, 24))[:, :12], rowvar=False)
    np.testing.assert_allclose(np.diag(covariance), 1, atol=0.05)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=0.05)


def test_fused_normalisation_equals_the_plain_layer() -> None:
    """The layer that trains computes what the layer that is saved computes, running statistics too."""
    import keras

    from trainer.network.model import FusedBatchNormalization

    inputs = np.random.default_rng(0).normal(2, 3, (32, 5, 5, 4)).astype(np.float32)
    options: dict[str, Any] = {"momentum": 0.9, "epsilon": 1e-5, "scale": False}
    fused, plain = FusedBatchNormalization(**options), keras.layers.BatchNormalization(**options)
    for training in (True, False):
        np.testing.assert_allclose(
            fused(inputs, training=training), plain(inputs, training=training), atol=5e-3
        )
    # The fused kernel remembers the unbiased variance: n/(n − 1) of the plain layer's.
    for mine, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3)


def test_saved_copies_load_without_our_code(network: Any, pixels: Any, tmp_path: Path) -> None:
    """Plain Keras opens model.keras and model.h5 and gives the same outputs."""
    import keras

    from trainer.network import model

    copy = model.copy_as_float32(network, model.Architecture(SIDE, SIDE, CLASSES, (8, 16, 16)))
    images = pixels.astype(np.float32)
    for name in ("model.keras", "model.h5"):
        copy.save(tmp_path / name)
        loaded = keras.saving.load_model(tmp_path / name, compile=False)
        np.testing.assert_allclose(loaded(images), network(images), atol=1e-5)


def test_augmentation_without_room_only_mirrors(pixels: Any) -> None:
    """With no padding and no cutout, flipped pictures are exact mirror images and the others untouched."""
    import tensorflow as tf

    from trainer.fitting.augment import augment

    flips = np.arange(64) % 2 == 0
    result = augment(
        tf.constant(pixels), tf.constant(flips), tf.constant([1, 2]), padding=0, cutout=0
    ).numpy()
    np.testing.assert_array_equal(result[flips], pixels[flips][:, :, ::-1])
    np.testing.assert_array_equal(result[~flips], pixels[~flips])


def test_augmentation_crops_and_blanks_by_seed(pixels: Any) -> None:
    """Crops stay within the padding, one square is blanked, equal seeds give equal pictures."""
    import tensorflow as tf

    from trainer.fitting.augment import augment

    white = tf.fill([64, SIDE, SIDE, 3], tf.constant(255, tf.uint8))
    flips = tf.zeros([64], tf.bool)
    blank = augment(
        white * tf.constant([[[[1]]]] * 32 + [[[[0]]]] * 32, tf.uint8),
        flips,
        tf.constant([0, 1]),
        padding=3,
        cutout=8,
    ).numpy()
    changed = (blank[:32] != 255).all(axis=-1).sum(axis=(1, 2))
    assert (changed == 64).all()
    first, again, other = (
        augment(tf.constant(pixels), flips, tf.constant([0, step]), padding=3, cutout=8).numpy()
        for step in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
