"""Labelled pictures that need no download: five shapes in any colour, drawn with numpy.

Hard enough that a network must learn shapes, easy enough for the `tiny` preset in a minute. For trials, the
notebook and demonstrations; `python -m trainer.trials.drawn FOLDER` draws a folder of class folders.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contract.images import encode_png

Mask = npt.NDArray[np.bool_]
SIDE = 32


def _circle(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    return np.asarray(x**2 + y**2 < 1)


def _cross(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    return (np.minimum(abs(x), abs(y)) < 0.3) & (np.maximum(abs(x), abs(y)) < 1)


def _ring(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    return np.asarray(abs(np.hypot(x, y) - 0.8) < 0.2)


def _square(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    return np.asarray(np.maximum(abs(x), abs(y)) < 0.85)


def _triangle(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    return (y < 0.75) & (abs(x) < (y + 1) * 0.55)


SHAPES: dict[str, Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], Mask]] = {
    "circle": _circle,
    "cross": _cross,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
}


def draw(label: str, seed: int, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """uint8 [side, side, 3]: one shape of some size, place, angle and colour on another, with noise."""
    rng = np.random.default_rng([list(SHAPES).index(label), seed])
    rows, columns = np.mgrid[:side, :side] / side * 2 - 1
    centre, size, angle = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.35, 0.65), rng.uniform(-0.4, 0.4)
    x, y = (columns - centre[0]) / size, (rows - centre[1]) / size
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    colour, ground = _two_colours(rng)
    clean = np.where(SHAPES[label](x, y)[..., None], colour, ground)
    noisy = clean + rng.normal(0, 24, clean.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _two_colours(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """float [2, 3], far enough apart to be told from one another."""
    while True:
        colours = rng.uniform(0, 255, (2, 3))
        if abs(colours[0] - colours[1]).sum() > 150:
            return colours


def draw_folder(folder: Path, per_class: int, first_seed: int = 0, side: int = SIDE) -> Path:
    """`folder/<shape>/<seed>.png`, `per_class` of each; returns `folder`."""
    for label in SHAPES:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for seed in range(first_seed, first_seed + per_class):
            pixels = draw(label, seed, side)
            (folder / label / f"{seed:05}.png").write_bytes(encode_png(pixels.tobytes(), side, side))
    return folder


def main() -> None:
    """Draw a folder."""
    parser = argparse.ArgumentParser(prog="python -m trainer.trials.drawn", description="Draw five shapes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-class", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=0, help="equal seeds draw equal pictures")
    parser.add_argument("--side", type=int, default=SIDE, help="in pixels (default: %(default)s)")
    flags = parser.parse_args()
    print(draw_folder(flags.folder, flags.per_class, flags.first_seed, flags.side))


if __name__ == "__main__":
    main()
