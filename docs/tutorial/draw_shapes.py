"""Draws a small dataset of five classes: `python docs/tutorial/draw_shapes.py FOLDER --count 40`.

Each picture is a shape in a colour, a place and a size of its own, with noise; the same number is always the
same picture, so that drawing more adds to what is there.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 48
Box = tuple[int, int, int, int]


def _disc(draw: ImageDraw.ImageDraw, box: Box, colour: str) -> None:
    draw.ellipse(box, fill=colour)


def _ring(draw: ImageDraw.ImageDraw, box: Box, colour: str) -> None:
    draw.ellipse(box, outline=colour, width=4)


def _square(draw: ImageDraw.ImageDraw, box: Box, colour: str) -> None:
    draw.rectangle(box, fill=colour)


def _triangle(draw: ImageDraw.ImageDraw, box: Box, colour: str) -> None:
    left, top, right, bottom = box
    draw.polygon([(left, bottom), (right, bottom), ((left + right) // 2, top)], fill=colour)


def _cross(draw: ImageDraw.ImageDraw, box: Box, colour: str) -> None:
    left, top, right, bottom = box
    draw.line((left, top, right, bottom), fill=colour, width=5)
    draw.line((left, bottom, right, top), fill=colour, width=5)


SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, Box, str], None]] = {
    "cross": _cross,
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
}


def picture(label: str, number: int) -> Image.Image:
    """RGB, 48 × 48."""
    chance = random.Random(f"{label} {number}")  # noqa: S311
    ground, colour = (f"hsl({chance.randrange(360)}, 60%, {light}%)" for light in (85, 40))
    image = Image.new("RGB", (SIZE, SIZE), ground)
    side = chance.randrange(22, 38)
    left, top = (chance.randrange(2, SIZE - side - 2) for _ in range(2))
    SHAPES[label](ImageDraw.Draw(image), (left, top, left + side, top + side), colour)
    noise = Image.frombytes("RGB", image.size, chance.randbytes(SIZE * SIZE * 3))
    return Image.blend(image, noise, 0.15)


def main() -> None:
    """Draw what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40, help="pictures of each class")
    options = parser.parse_args()
    for label in SHAPES:
        folder = options.folder / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(options.count):
            picture(label, number).save(folder / f"{number}.png")
    print(f"{options.count} pictures of each of {', '.join(SHAPES)} in {options.folder}")


if __name__ == "__main__":
    main()
