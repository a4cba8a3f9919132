"""The network: four convolutional stages, built twice from one description.

`build` makes the network that trains (batch normalisation, input normalisation); `fold` makes the one
that serves, in which both are absorbed by the convolutions, with the same outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.arrays import FloatArray

WHITENING_KERNEL = 2
WHITENING_EPSILON = 5e-4
LOGIT_SCALE = 1 / 9


@dataclass(frozen=True)
class Architecture:
    """What the network's shape depends on."""

    height: int
    width: int
    classes: int
    widths: tuple[int, ...]


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation by TensorFlow's fused kernel, which takes bfloat16 and passes over memory once.

    Keras computes the moments in separate float32 operations: 360 instead of 450 images per second on two
    cores. Only for training in this process; saved networks hold the plain layer. With several replicas each
    normalises by the moments of its own part of the batch, and all remember the mean of them.
    """

    def add_weight(self, *arguments: object, **options: object) -> keras.Variable:
        """As the layer's, with a rule by which replicas may update it."""
        return super().add_weight(*arguments, **{**options, "aggregation": "mean"})

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        """Normalised inputs, [N, H, W, C]; in training by the batch's moments, which are remembered."""
        scale = tf.ones([inputs.shape[-1]], tf.float32)
        if not training:
            moments = (self.moving_mean.value, self.moving_variance.value)
            return _fused_batch_norm(
                inputs, scale, self.beta.value, *moments, epsilon=self.epsilon, is_training=False
            )[0]
        outputs, mean, variance = _fused_batch_norm(
            inputs, scale, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        self.moving_mean.assign(self.momentum * self.moving_mean + (1 - self.momentum) * mean)
        self.moving_variance.assign(self.momentum * self.moving_variance + (1 - self.momentum) * variance)
        return outputs


_fused_batch_norm = partial(tf.compat.v1.nn.fused_batch_norm, data_format="NHWC")


def build(
    architecture: Architecture,
    mean: FloatArray,
    deviation: FloatArray,
    seed: int,
    precision: str = "float32",
    *,
    norm: type[keras.layers.BatchNormalization] = keras.layers.BatchNormalization,
) -> keras.Model:
    """The network that trains: float [N, H, W, 3] in 0–255 → float32 logits [N, classes].

    Args:
        architecture: sizes.
        mean, deviation: float32 [3], of the training pictures in 0–255.
        seed: of the initial weights.
        precision: a Keras dtype policy for the stages; input normalisation and head stay float32.
        norm: the batch normalisation layer; FusedBatchNormalization trains faster.
    """
    inputs = keras.Input((architecture.height, architecture.width, 3), name="images")
    x = keras.layers.Normalization(mean=mean, variance=deviation**2, dtype="float32", name="normalise")(
        inputs
    )
    x = _whitening_stage(x, precision, has_frozen_kernel=True)
    for stage, width in enumerate(architecture.widths, start=1):
        x = _conv(x, f"stage{stage}_conv1", width, precision, seed + 2 * stage)
        x = _pool(x, f"stage{stage}_pool")
        x = _normalised_relu(x, f"stage{stage}_norm1", precision, norm)
        x = _conv(x, f"stage{stage}_conv2", width, precision, seed + 2 * stage + 1)
        x = _normalised_relu(x, f"stage{stage}_norm2", precision, norm)
    network = keras.Model(inputs, _head(x, architecture.classes, seed), name="rekindle_cnn")
    _start_as_identity(network)
    return network


def channel_statistics(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each channel, float32 [3], in 0–255, of uint8 [N, H, W, 3]."""
    pixels = images.reshape(-1, 3)
    mean = pixels.mean(axis=0, dtype=np.float64)
    deviation = np.maximum(pixels.std(axis=0, dtype=np.float64), 1.0)  # one-coloured pictures
    return mean.astype(np.float32), deviation.astype(np.float32)


def _start_as_identity(network: keras.Model) -> None:
    """Let the first min(in, out) filters of each stage pass their channel through.

    airbench's "dirac" initialisation: deep stages begin by forwarding their input. Set on the kernels
    rather than by an initializer of our own, so that `model.keras` loads without our code.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.name != "whitening":
            kernel = keras.ops.convert_to_numpy(layer.kernel).copy()
            same = min(kernel.shape[2:])
            kernel[..., :same] = 0
            kernel[1, 1, range(same), range(same)] = 1
            layer.kernel.assign(kernel)


def _whitening_stage(x: object, precision: str, *, has_frozen_kernel: bool) -> object:
    layer = keras.layers.Conv2D(24, WHITENING_KERNEL, padding="valid", dtype=precision, name="whitening")
    if has_frozen_kernel:
        layer.build(x.shape)  # type: ignore[attr-defined]
        layer.kernel.trainable = False
    return keras.layers.Activation("relu", dtype=precision, name="whitening_relu")(layer(x))


def _conv(
    x: object, name: str, width: int, precision: str, seed: int | None = None, *, has_bias: bool = False
) -> object:
    return keras.layers.Conv2D(
        width,
        3,
        padding="same",
        use_bias=has_bias,
        kernel_initializer=_uniform(seed),
        dtype=precision,
        name=name,
    )(x)


def _uniform(seed: int | None) -> keras.initializers.Initializer:
    """Uniform in ±1/√fan_in, as the recipe's authors start."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform", seed=seed)


def _pool(x: object, name: str) -> object:
    return keras.layers.MaxPooling2D(2, name=name)(x)


def _normalised_relu(
    x: object, name: str, precision: str, norm: type[keras.layers.BatchNormalization]
) -> object:
    x = norm(momentum=0.9, epsilon=1e-5, scale=False, dtype=precision, name=name)(x)
    return keras.layers.Activation("relu", dtype=precision, name=f"{name}_relu")(x)


def _head(x: object, classes: int, seed: int | None = None) -> object:
    x = keras.layers.GlobalMaxPooling2D(dtype="float32", name="embedding")(x)
    x = keras.layers.Dense(
        classes, use_bias=False, dtype="float32", kernel_initializer=_uniform(seed), name="head"
    )(x)
    return keras.layers.Rescaling(LOGIT_SCALE, dtype="float32", name="logits")(x)


def whiten(
    network: keras.Model, images: npt.NDArray[np.uint8], mean: FloatArray, deviation: FloatArray
) -> None:
    """Set the first stage's kernel to the eigenvectors of 2×2×3 patches, scaled to unit variance.

    Eigenvectors of the patches' covariance over √(λ + 5e-4), and their negatives (Page, 2018).

    Args:
        network: made by `build`.
        images: uint8 [N, H, W, 3]; a few thousand suffice.
        mean, deviation: float32 [3], as given to `build`.
    """
    normalised = (images.astype(np.float32) - mean) / deviation
    windows = np.lib.stride_tricks.sliding_window_view(
        normalised, (WHITENING_KERNEL, WHITENING_KERNEL), (1, 2)
    )
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, WHITENING_KERNEL**2 * 3)
    eigenvalues, eigenvectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = eigenvectors / np.sqrt(eigenvalues + WHITENING_EPSILON)
    filters = np.concatenate([filters, -filters], axis=1)
    network.get_layer("whitening").kernel.assign(
        filters.reshape(WHITENING_KERNEL, WHITENING_KERNEL, 3, -1).astype(np.float32)
    )


def architecture_of(network: keras.Model) -> Architecture:
    """What `build` was given for a network of ours; for one of others, its sizes without widths."""
    _, height, width, _ = network.inputs[0].shape
    firsts = (layer for layer in network.layers if layer.name.endswith("_conv1") and is_ours(network))
    widths = tuple(layer.filters for layer in firsts)
    return Architecture(height, width, network.outputs[0].shape[1], widths)


def is_ours(network: keras.Model) -> bool:
    """True for what `build` makes, false for a backbone with a head."""
    return any(layer.name == "whitening" for layer in network.layers)


def copy_as_float32(network: keras.Model, architecture: Architecture) -> keras.Model:
    """The same weights under a float32 policy: what `model.keras` keeps and fine-tuning starts from."""
    if not is_ours(network):
        return network
    copy = build(architecture, *normalisation(network), seed=0)
    copy.set_weights(network.get_weights())
    copy.get_layer("whitening").kernel.trainable = True  # the .h5 format cannot say that it is frozen
    return copy


def normalisation(network: keras.Model) -> tuple[FloatArray, FloatArray]:
    """The mean and deviation that `build` was given."""
    layer = network.get_layer("normalise")
    mean, variance = (keras.ops.convert_to_numpy(value).reshape(-1) for value in (layer.mean, layer.variance))
    return mean, np.sqrt(variance)


def fold(network: keras.Model, architecture: Architecture) -> keras.Model:
    """The network that serves: no normalisation left, outputs equal up to rounding.

    A convolution followed by (x − μ)/σ + β is a convolution with kernel/σ and bias β − μ/σ. Max-pooling in
    between does not matter, since 1/σ > 0 (batch normalisation has no scale here). The input's
    normalisation goes into the whitening stage, which has no padding, so that this is exact at the borders.
    A network that others designed is served as it is.
    """
    if not is_ours(network):
        return network
    inputs = keras.Input((architecture.height, architecture.width, 3), name="images")
    x = _whitening_stage(inputs, "float32", has_frozen_kernel=False)
    for stage, width in enumerate(architecture.widths, start=1):
        x = _conv(x, f"stage{stage}_conv1", width, "float32", has_bias=True)
        x = _pool(x, f"stage{stage}_pool")
        x = keras.layers.Activation("relu", name=f"stage{stage}_relu1")(x)
        x = _conv(x, f"stage{stage}_conv2", width, "float32", has_bias=True)
        x = keras.layers.Activation("relu", name=f"stage{stage}_relu2")(x)
    folded = keras.Model(inputs, _head(x, architecture.classes), name="rekindle_cnn_folded")
    _fold_input(network, folded)
    for stage in range(1, len(architecture.widths) + 1):
        for part in (1, 2):
            _fold_norm(network, folded, f"stage{stage}_conv{part}", f"stage{stage}_norm{part}")
    folded.get_layer("head").set_weights(network.get_layer("head").get_weights())
    return folded


def _fold_input(network: keras.Model, folded: keras.Model) -> None:
    mean, deviation = normalisation(network)
    kernel, bias = (
        np.asarray(weights, np.float64) for weights in network.get_layer("whitening").get_weights()
    )
    kernel = kernel / deviation[:, None]
    shift = np.einsum("hwio,i->o", kernel, mean)
    folded.get_layer("whitening").set_weights([kernel.astype(np.float32), (bias - shift).astype(np.float32)])


def _fold_norm(network: keras.Model, folded: keras.Model, conv: str, norm: str) -> None:
    (kernel,) = network.get_layer(conv).get_weights()
    layer = network.get_layer(norm)
    beta, mean, variance = (np.asarray(weights, np.float64) for weights in layer.get_weights())
    scale = 1 / np.sqrt(variance + layer.epsilon)
    folded.get_layer(conv).set_weights(
        [(kernel * scale).astype(np.float32), (beta - mean * scale).astype(np.float32)]
    )
