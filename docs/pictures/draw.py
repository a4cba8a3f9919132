"""Draws the photographs of the README and the tests: no third party's picture is needed.

Run as `python docs/pictures/draw.py`; writes a ship, an airplane and a truck beside itself. With the name
of a file it writes the ship there, as large as a telephone's photograph, for load tests. Each is drawn at
four times its size from plain shapes, then blurred, shaded and made grainy as a lens and a sensor would.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 256
SCALE = 4
PHOTOGRAPH = (4000, 3000)
Colour = tuple[int, int, int]


def gradient(top: Colour, bottom: Colour, size: tuple[int, int]) -> Image.Image:
    """A vertical run from one colour to another."""
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def canvas(sky: tuple[Colour, Colour], ground: tuple[Colour, Colour], horizon: float) -> Image.Image:
    """Sky above, ground or water below, a soft line between."""
    side = SIZE * SCALE
    edge = int(side * horizon)
    image = gradient(*sky, size=(side, side))
    image.paste(gradient(*ground, size=(side, side - edge)), (0, edge))
    return image.filter(ImageFilter.GaussianBlur(SCALE * 1.5))


def noise(size: tuple[int, int], strength: float) -> Image.Image:
    """Grey noise around 128 with a standard deviation of `strength`; the same on every call."""
    uniform = Image.frombytes("L", size, random.Random(1).randbytes(size[0] * size[1]))  # noqa: S311
    return uniform.point(lambda value: 128 + (value - 128) * strength / 74)


def textured(image: Image.Image, box: tuple[int, int, int, int], strength: int, stretch: int) -> None:
    """Waves or gravel: noise that is wider than high, added to a part of the picture."""
    width, height = box[2] - box[0], box[3] - box[1]
    coarse = noise((width // stretch, height // 6), strength)
    grey = Image.merge("RGB", [coarse.resize((width, height), Image.Resampling.BICUBIC)] * 3)
    image.paste(ImageChops.add(image.crop(box), grey, scale=1, offset=-128), box)


def points(*fractions: tuple[float, float]) -> list[tuple[float, float]]:
    """Fractions of the side as pixels of the large canvas."""
    return [(x * SIZE * SCALE, y * SIZE * SCALE) for x, y in fractions]


def developed(image: Image.Image) -> Image.Image:
    """Reduced to its size, a little soft, a little grain."""
    small = image.filter(ImageFilter.GaussianBlur(SCALE * 0.6)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    grain = Image.merge("RGB", [noise((SIZE, SIZE), 6)] * 3)
    return ImageChops.add(small, grain, scale=1, offset=-128)


def ship() -> Image.Image:
    """A freighter on the open sea, from the side."""
    image = canvas(((118, 160, 205), (205, 222, 235)), ((62, 98, 128), (28, 58, 88)), horizon=0.6)
    textured(image, (0, int(0.6 * SIZE * SCALE), SIZE * SCALE, SIZE * SCALE), strength=34, stretch=24)
    draw = ImageDraw.Draw(image)
    draw.polygon(points((0.06, 0.53), (0.95, 0.50), (0.87, 0.66), (0.13, 0.66)), fill=(42, 44, 58))
    draw.polygon(points((0.115, 0.63), (0.885, 0.63), (0.87, 0.67), (0.13, 0.67)), fill=(140, 42, 36))
    draw.polygon(points((0.06, 0.53), (0.95, 0.50), (0.94, 0.515), (0.07, 0.545)), fill=(225, 225, 222))
    for left, top, right, bottom, colour in (
        (0.14, 0.36, 0.32, 0.53, (238, 238, 234)),
        (0.16, 0.30, 0.28, 0.36, (226, 226, 224)),
        (0.19, 0.20, 0.25, 0.30, (190, 60, 40)),
        (0.19, 0.20, 0.25, 0.225, (35, 35, 38)),
        (0.38, 0.45, 0.50, 0.525, (176, 92, 58)),
        (0.51, 0.44, 0.63, 0.525, (88, 122, 150)),
        (0.64, 0.455, 0.76, 0.52, (188, 160, 84)),
    ):
        draw.rectangle([*points((left, top))[0], *points((right, bottom))[0]], fill=colour)
    for number in range(5):
        left = 0.155 + number * 0.032
        draw.rectangle([*points((left, 0.40))[0], *points((left + 0.016, 0.43))[0]], fill=(50, 66, 84))
    draw.line(points((0.83, 0.51), (0.83, 0.28)), fill=(70, 70, 76), width=3 * SCALE)
    draw.line(points((0.83, 0.30), (0.70, 0.44)), fill=(90, 90, 96), width=SCALE)
    foam = Image.new("L", image.size, 0)
    ImageDraw.Draw(foam).polygon(points((0.05, 0.665), (0.93, 0.665), (0.99, 0.70), (0.02, 0.69)), fill=150)
    image.paste((226, 236, 240), mask=foam.filter(ImageFilter.GaussianBlur(SCALE * 4)))
    return developed(image)


def airplane() -> Image.Image:
    """An airliner in a blue sky, from below and the side."""
    image = canvas(((70, 128, 200), (150, 190, 230)), ((150, 190, 230), (178, 208, 236)), horizon=0.8)
    clouds = noise((12, 8), 90).resize(image.size, Image.Resampling.BICUBIC)
    image.paste(
        (244, 247, 250),
        mask=clouds.point(lambda value: max(0, value - 150)).filter(ImageFilter.GaussianBlur(60)),
    )
    draw = ImageDraw.Draw(image)
    draw.polygon(points((0.44, 0.50), (0.58, 0.50), (0.38, 0.24), (0.31, 0.24)), fill=(150, 156, 166))
    draw.polygon(points((0.80, 0.47), (0.88, 0.46), (0.93, 0.29), (0.87, 0.29)), fill=(40, 70, 140))
    draw.polygon(
        points(
            (0.05, 0.54),
            (0.10, 0.49),
            (0.22, 0.465),
            (0.85, 0.455),
            (0.93, 0.47),
            (0.80, 0.535),
            (0.20, 0.585),
            (0.09, 0.575),
        ),
        fill=(236, 238, 242),
    )
    draw.polygon(
        points((0.09, 0.575), (0.20, 0.585), (0.80, 0.535), (0.93, 0.47), (0.80, 0.51), (0.20, 0.555)),
        fill=(176, 182, 192),
    )
    draw.polygon(points((0.42, 0.555), (0.60, 0.54), (0.46, 0.82), (0.38, 0.83)), fill=(120, 126, 138))
    draw.polygon(points((0.78, 0.50), (0.88, 0.485), (0.95, 0.58), (0.90, 0.585)), fill=(130, 136, 148))
    draw.ellipse([*points((0.40, 0.64))[0], *points((0.50, 0.69))[0]], fill=(92, 96, 106))
    for number in range(16):
        x = 0.20 + number * 0.037
        draw.ellipse([*points((x, 0.495))[0], *points((x + 0.012, 0.51))[0]], fill=(60, 70, 92))
    return developed(image)


def truck() -> Image.Image:
    """A lorry on a road, from the side."""
    image = canvas(((168, 196, 222), (220, 228, 232)), ((112, 112, 110), (84, 84, 84)), horizon=0.7)
    textured(image, (0, int(0.7 * SIZE * SCALE), SIZE * SCALE, SIZE * SCALE), strength=22, stretch=8)
    draw = ImageDraw.Draw(image)
    draw.rectangle([*points((0.0, 0.60))[0], *points((1.0, 0.71))[0]], fill=(96, 122, 74))
    draw.rectangle([*points((0.06, 0.24))[0], *points((0.66, 0.68))[0]], fill=(232, 232, 228))
    draw.rectangle([*points((0.06, 0.62))[0], *points((0.66, 0.68))[0]], fill=(150, 152, 156))
    draw.rectangle([*points((0.06, 0.68))[0], *points((0.90, 0.74))[0]], fill=(46, 46, 50))
    draw.polygon(
        points((0.68, 0.72), (0.68, 0.34), (0.84, 0.34), (0.93, 0.52), (0.94, 0.72)), fill=(186, 40, 38)
    )
    draw.polygon(points((0.75, 0.38), (0.83, 0.38), (0.895, 0.51), (0.75, 0.51)), fill=(70, 92, 112))
    draw.rectangle([*points((0.91, 0.64))[0], *points((0.95, 0.68))[0]], fill=(240, 226, 170))
    for x in (0.19, 0.33, 0.80):
        draw.ellipse([*points((x - 0.075, 0.70))[0], *points((x + 0.075, 0.85))[0]], fill=(28, 28, 30))
        draw.ellipse([*points((x - 0.035, 0.74))[0], *points((x + 0.035, 0.81))[0]], fill=(160, 162, 166))
    return developed(image)


def photograph() -> Image.Image:
    """The ship with 12 megapixels and the grain of a small sensor."""
    large = ship().resize(PHOTOGRAPH, Image.Resampling.BICUBIC)
    grain = Image.merge("RGB", [noise(PHOTOGRAPH, 8)] * 3)
    return ImageChops.add(large, grain, scale=1, offset=-128)


def main() -> None:
    """Write the three pictures beside this file, or the photograph to the file that is named."""
    if len(sys.argv) > 1:
        photograph().save(sys.argv[1], "JPEG", quality=90)
        return
    for draw in (ship, airplane, truck):
        path = Path(__file__).with_name(f"{draw.__name__}.jpg")
        draw().save(path, quality=88, optimize=True)
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
