"""Changes of all pictures that no recipe contains, and a class that nobody has heard of."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw, ImageFilter, ImageOps

ELEVENTH = "pattern"


def png(image: Image.Image) -> bytes:
    """Without loss: JPEG would be a change of its own."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _permuted(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", (blue, red, green))


CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "inverted": ImageOps.invert,
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.0)),
    "permuted": _permuted,
}


def changed(content: bytes, change: str) -> bytes:
    """A picture, changed, as PNG."""
    with Image.open(io.BytesIO(content)) as image:
        return png(CHANGES[change](image.convert("RGB")))


def pattern(seed: int, side: int = 32) -> bytes:
    """One of the eleventh class: turned stripes of two colours."""
    chance = random.Random(seed)
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(2)]
    image = Image.new("RGB", (side * 2, side * 2), colours[0])
    draw, width = ImageDraw.Draw(image), chance.randrange(3, 8)
    for start in range(0, side * 2, 2 * width):
        draw.rectangle((start, 0, start + width - 1, side * 2), fill=colours[1])
    turned = image.rotate(chance.randrange(180), Image.Resampling.BILINEAR)
    corner = side // 2
    return png(turned.crop((corner, corner, corner + side, corner + side)))


def noise(seed: int, side: int = 32) -> bytes:
    """Nothing but noise."""
    return png(Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3)))
