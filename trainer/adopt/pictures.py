"""What a foreign model takes: its size, its layout and its scaling, brought to our uint8 NHWC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from contract.image_spec import Fit, ImageSpec, Resampling
from trainer.errors import TrainerError
from trainer.network.scaling import Scaling
from trainer.network.source import Source


@dataclass(frozen=True)
class Wanted:
    """What the command line says about the pictures."""

    scaling: Scaling
    size: tuple[int, int] | None = None
    """Height and width, where the model leaves them open."""
    resampling: Resampling = "lanczos"
    fit: Fit = "cover"


@dataclass(frozen=True)
class Pictures:
    """The rule that turns our pictures into the model's input."""

    image: ImageSpec
    is_channels_first: bool
    dtype: tf.DType

    def outputs(self, source: Source, scaling: Scaling) -> Callable[[tf.Tensor], tf.Tensor]:
        """uint8 [N, H, W, 3] → float32 [N, outputs], as a function for a graph."""
        return lambda images: tf.cast(source.call(self._values(images, scaling)), tf.float32)

    def both(self, source: Source, scaling: Scaling) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
        """The same with the embedding behind it, float32 [N, D], where the source has one."""

        def call(images: tf.Tensor) -> tuple[tf.Tensor, ...]:
            values = self._values(images, scaling)
            found = source.both(values) if source.both else [source.call(values)]
            return tuple(tf.cast(part, tf.float32) for part in found)

        return call

    def _values(self, images: tf.Tensor, scaling: Scaling) -> tf.Tensor:
        values = images
        if not self.dtype.is_integer:
            values = tf.cast(scaling.apply(tf.cast(images, tf.float32)), self.dtype)
        return tf.transpose(values, [0, 3, 1, 2]) if self.is_channels_first else values


def pictures_of(source: Source, wanted: Wanted) -> Pictures:
    """The rule for this model. Raises TrainerError where its input is no batch of RGB pictures."""
    if source.dtype not in (tf.float32, tf.float16, tf.bfloat16, tf.float64, tf.uint8):
        raise TrainerError(
            f"{source.name} takes {source.dtype.name}; expected a signature that takes float or uint8 pixels"
        )
    if source.dtype == tf.uint8 and wanted.scaling.name != "pixels":
        raise TrainerError(
            f"{source.name} takes uint8, so the scaling is 'pixels', not {wanted.scaling.name!r}"
        )
    height, width, is_channels_first = _layout(source)
    height, width = _size(source, height, width, wanted.size)
    image = ImageSpec(height=height, width=width, resampling=wanted.resampling, fit=wanted.fit)
    return Pictures(image, is_channels_first, source.dtype)


def _layout(source: Source) -> tuple[int | None, int | None, bool]:
    """Height, width, and whether the channels come first."""
    shape = source.shape
    if len(shape) != 4:
        raise TrainerError(
            f"{source.name} takes the shape {shape}; expected (batch, height, width, 3) or "
            "(batch, 3, height, width)"
        )
    if shape[0] is not None:
        raise TrainerError(
            f"{source.name} takes batches of exactly {shape[0]}; export it with an open batch dimension"
        )
    if shape[3] == 3:
        return shape[1], shape[2], False
    if shape[1] == 3:
        return shape[2], shape[3], True
    raise TrainerError(
        f"{source.name} takes the shape {shape}, in which no dimension is the 3 channels of RGB; "
        "export it with its number of channels stated"
    )


def _size(
    source: Source, height: int | None, width: int | None, asked: tuple[int, int] | None
) -> tuple[int, int]:
    if asked is None:
        if height is None or width is None:
            raise TrainerError(
                f"{source.name} takes pictures of any size; state the one to serve by --size HEIGHTxWIDTH"
            )
        return height, width
    if height not in (None, asked[0]) or width not in (None, asked[1]):
        raise TrainerError(
            f"{source.name} takes pictures of {height or 'any'}x{width or 'any'}, "
            f"not {asked[0]}x{asked[1]}; leave --size out"
        )
    return asked
