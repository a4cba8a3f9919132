"""Changes of all pictures that no recipe contains, and a class that nobody has heard of; on plain bytes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

from contract import images
from contract.image_spec import ImageSpec

ELEVENTH = "pattern"
BLUR = (0.0545, 0.2442, 0.4026, 0.2442, 0.0545)
"""A Gaussian of one pixel's deviation."""


def _inverted(pixels: bytes, spec: ImageSpec) -> bytes:
    return bytes(255 - value for value in pixels)


def _permuted(pixels: bytes, spec: ImageSpec) -> bytes:
    """Red becomes green, green blue, blue red."""
    mixed = bytearray(pixels)
    mixed[0::3], mixed[1::3], mixed[2::3] = pixels[2::3], pixels[0::3], pixels[1::3]
    return bytes(mixed)


def _blurred(pixels: bytes, spec: ImageSpec) -> bytes:
    across = _smoothed(pixels, spec, lambda row, column, step: (row, column + step))
    return _smoothed(across, spec, lambda row, column, step: (row + step, column))


def _smoothed(pixels: bytes, spec: ImageSpec, beside: Callable[[int, int, int], tuple[int, int]]) -> bytes:
    """Along one axis; borders are repeated."""
    smooth = bytearray(len(pixels))
    for row in range(spec.height):
        for column in range(spec.width):
            at = [_clamped(beside(row, column, step), spec) for step in (-2, -1, 0, 1, 2)]
            for channel in range(3):
                value = sum(weight * pixels[i + channel] for weight, i in zip(BLUR, at, strict=True))
                smooth[(row * spec.width + column) * 3 + channel] = min(255, round(value))
    return bytes(smooth)


def _clamped(place: tuple[int, int], spec: ImageSpec) -> int:
    row, column = min(max(place[0], 0), spec.height - 1), min(max(place[1], 0), spec.width - 1)
    return (row * spec.width + column) * 3


CHANGES: Mapping[str, Callable[[bytes, ImageSpec], bytes]] = {
    "inverted": _inverted,
    "blurred": _blurred,
    "permuted": _permuted,
}


def changed(content: bytes, change: str) -> bytes:
    """A picture, changed, as PNG: JPEG would be a change of its own."""
    width, height = images.size_of(content)
    spec = ImageSpec(height=height, width=width)
    return images.encode_png(CHANGES[change](images.decode(content, spec), spec), height, width)


def pattern(seed: int, side: int = 32) -> bytes:
    """One of the eleventh class: turned stripes of two colours, as PNG."""
    chance = random.Random(seed)
    colours = [chance.randbytes(3), chance.randbytes(3)]
    angle, width = chance.uniform(0, math.pi), chance.uniform(3, 7)
    across, down = math.cos(angle) / width, math.sin(angle) / width
    stripes = (
        colours[int(across * column + down * row + side) % 2] for row in range(side) for column in range(side)
    )
    return images.encode_png(b"".join(stripes), side, side)


def noise(seed: int, side: int = 32) -> bytes:
    """Nothing but noise, as PNG."""
    return images.encode_png(random.Random(seed).randbytes(side * side * 3), side, side)
