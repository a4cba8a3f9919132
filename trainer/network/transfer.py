"""A frozen network that others trained, with a head of ours: few pictures, many classes, any size.

The head starts where scikit-learn's logistic regression on the backbone's features ends; the epochs of the
recipe refine it on augmented pictures. What is saved loads by plain Keras, since only Keras' own layers are
in it, if the backbone does.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from contract.image_spec import ImageSpec
from trainer.arrays import FloatArray
from trainer.errors import TrainerError
from trainer.network.scaling import Scaling
from trainer.network.source import load_keras

PROBE_EXAMPLES = 10_000
"""Training pictures, and their mirror images, from which the head's first weights are found."""
PROBE_ITERATIONS = 200
BATCH = 256
FEATURES = "embedding"
"""The layer whose outputs the head sees; the name that our own networks give it."""


@dataclass(frozen=True)
class Backbone:
    """An opened backbone: float [N, H, W, 3] in its own scaling → features."""

    network: keras.Model
    scaling: Scaling

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Height and width; None where it takes any."""
        shape = self.network.inputs[0].shape
        return shape[1], shape[2]

    def image_for(self, asked: ImageSpec | None) -> ImageSpec | None:
        """The pictures' size: what the spec asks for, else the backbone's, else None (the data's)."""
        height, width = self.size
        if asked is not None or height is None or width is None:
            return asked
        return ImageSpec(height=height, width=width)


def open_backbone(path: Path, scaling: Scaling, layer: str | None = None) -> Backbone:
    """Open a `.keras` file, up to `layer` where one is named.

    Raises TrainerError: Keras cannot load it, no such layer, an input that is no batch of RGB pictures, or
    outputs that are neither a vector nor a map of features.
    """
    if path.suffix != ".keras" or not path.is_file():
        raise TrainerError(f"the backbone {path} is no .keras file")
    network = load_keras(path)
    if layer:
        network = _up_to(network, layer, path)
    _check_shapes(path, network)
    network.trainable = False
    return Backbone(network, scaling)


def _check_shapes(path: Path, network: keras.Model) -> None:
    takes = [tuple(part.shape) for part in network.inputs or []]
    answers = [tuple(part.shape) for part in network.outputs or []]
    if len(takes) != 1 or len(takes[0]) != 4 or takes[0][3] != 3:
        raise TrainerError(f"the backbone {path} takes {takes}; expected (batch, height, width, 3)")
    if len(answers) != 1 or len(answers[0]) not in (2, 4) or answers[0][-1] is None:
        raise TrainerError(
            f"the backbone {path} answers with {answers}; expected (batch, features) or "
            "(batch, height, width, features): name one of its layers"
        )


def _up_to(network: keras.Model, layer: str, path: Path) -> keras.Model:
    names = [part.name for part in network.layers]
    if layer not in names:
        raise TrainerError(f"the backbone {path} has no layer {layer!r}; among its layers are {names[-8:]}")
    return keras.Model(network.inputs, network.get_layer(layer).output)


def build(
    backbone: Backbone,
    image: ImageSpec,
    images: npt.NDArray[np.uint8],
    truth: npt.NDArray[np.int64],
    classes: int,
) -> keras.Model:
    """The network that trains: float [N, H, W, 3] in 0–255 → float32 logits [N, classes].

    Args:
        backbone: stays as it is.
        image: the pictures' size; another than the backbone's is resized in the graph.
        images, truth: uint8 [N, H, W, 3] and int64 [N], training pictures.
        classes: their number.
    """
    inputs = keras.Input((image.height, image.width, 3), name="images")
    features = _features(backbone, inputs)
    extractor = keras.Model(inputs, features)
    mean, deviation, kernel, bias = _probe(
        extractor, images[:PROBE_EXAMPLES], truth[:PROBE_EXAMPLES], classes
    )
    scale = 1 / (deviation * np.sqrt(len(mean)))  # the head sees vectors of about unit length
    x = keras.layers.Normalization(mean=mean, variance=1 / scale**2, name=FEATURES)(features)
    head = keras.layers.Dense(classes, name="head")
    network = keras.Model(inputs, head(x), name="rekindle_transfer")
    head.set_weights([kernel, bias])
    return network


def _features(backbone: Backbone, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Resized, scaled, through the backbone, one vector a picture."""
    height, width = (wanted or have for wanted, have in zip(backbone.size, inputs.shape[1:3], strict=True))
    x = inputs
    if (height, width) != tuple(inputs.shape[1:3]):
        x = keras.layers.Resizing(height, width, interpolation="bicubic", name="resize")(x)
    scaling = backbone.scaling
    if scaling.is_bgr:
        x = keras.ops.flip(x, axis=-1)
    variance = [value**2 for value in scaling.deviation]
    x = keras.layers.Normalization(mean=scaling.mean, variance=variance, name="scale")(x)
    x = backbone.network(x, training=False)
    return keras.layers.GlobalAveragePooling2D(name="pool")(x) if len(x.shape) == 4 else x


def _probe(
    extractor: keras.Model, images: npt.NDArray[np.uint8], truth: npt.NDArray[np.int64], classes: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean and deviation of the features, and the linear probe on them: kernel [features, classes], bias."""
    features = np.concatenate([_run(extractor, images), _run(extractor, images[:, :, ::-1])])
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3)
    units = (features - mean) / deviation / np.sqrt(len(mean))
    probe = LogisticRegression(C=10.0, max_iter=PROBE_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs go on from there
        probe.fit(units, np.concatenate([truth, truth]))
    kernel = np.zeros((features.shape[1], classes), np.float32)
    bias = np.zeros(classes, np.float32)
    if classes == 2:  # scikit-learn keeps one row, that of the second class against the first
        kernel[:, 1], bias[1] = probe.coef_[0], probe.intercept_[0]
    else:
        kernel[:, probe.classes_], bias[probe.classes_] = probe.coef_.T, probe.intercept_
    return mean, deviation, kernel, bias


def _run(extractor: keras.Model, images: npt.NDArray[np.uint8]) -> FloatArray:
    parts = [
        np.asarray(extractor(images[start : start + BATCH].astype(np.float32), training=False))
        for start in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts)
