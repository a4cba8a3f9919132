"""How a network that others trained wants its pixels: the one rule for adopted models and backbones.

Our own networks carry their normalisation inside and take 0–255. Others state theirs in words, since no
file format records it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.errors import TrainerError

if TYPE_CHECKING:
    import tensorflow as tf

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Scaling:
    """(pixel − mean) / deviation of each channel, the channels in reverse order where `is_bgr`."""

    name: str
    mean: Triple = (0.0, 0.0, 0.0)
    """In 0–255, in the order that the network sees."""
    deviation: Triple = (1.0, 1.0, 1.0)
    is_bgr: bool = False

    def apply(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [..., 3] RGB in 0–255 → float32 as the network wants it."""
        import tensorflow as tf

        ordered = tf.reverse(images, axis=[-1]) if self.is_bgr else images
        return (ordered - tf.constant(self.mean)) / tf.constant(self.deviation)


SCALINGS = {
    scaling.name: scaling
    for scaling in (
        Scaling("pixels"),
        Scaling("unit", deviation=(255.0, 255.0, 255.0)),
        Scaling("symmetric", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        # Of ImageNet, as keras.applications' modes of these names apply them.
        Scaling("torch", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        Scaling("caffe", (103.939, 116.779, 123.68), is_bgr=True),
    )
}
SCALING_HELP = (
    "pixels (0 to 255 as they are), unit (0 to 1), symmetric (-1 to 1), torch or caffe (ImageNet's means), "
    "or MEAN,MEAN,MEAN/DEVIATION,DEVIATION,DEVIATION of red, green and blue in 0 to 255"
)


def scaling_of(text: str) -> Scaling:
    """The scaling of that name, or of those six numbers. Raises TrainerError."""
    if text in SCALINGS:
        return SCALINGS[text]
    try:
        mean, deviation = (_triple(part) for part in text.split("/"))
    except ValueError as error:
        raise TrainerError(f"unknown scaling {text!r}; expected {SCALING_HELP}") from error
    if min(deviation) <= 0:
        raise TrainerError(f"scaling {text!r}: deviations must be above 0")
    return Scaling(text, mean, deviation)


def _triple(text: str) -> Triple:
    red, green, blue = (float(number) for number in text.split(","))
    return red, green, blue
