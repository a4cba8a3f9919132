"""Pictures of ten classes, drawn: variations of the three photographs of docs/pictures, and simple figures.

No two are equal, equal seeds draw equal pictures, and nobody's data is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contract.image_spec import ImageSpec
from contract.images import decode, encode_png

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
Ellipse = tuple[float, float, float, float, float]
"""Centre and radii as shares of the side, and how light it is."""

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
PHOTOGRAPHS = ("airplane", "ship", "truck")
LEGS = tuple((x, 0.74, 0.025, 0.15, 0.8) for x in (0.3, 0.38, 0.54, 0.62))
FIGURES: Mapping[str, tuple[Colour, Colour, tuple[Ellipse, ...]]] = {
    "automobile": (
        (170, 40, 45),
        (140, 142, 146),
        (
            (0.5, 0.46, 0.2, 0.13, 1.1),
            (0.5, 0.46, 0.15, 0.08, 0.3),
            (0.5, 0.58, 0.37, 0.12, 1.0),
            *((x, 0.68, 0.075, 0.075, 0.15) for x in (0.28, 0.72)),
        ),
    ),
    "bird": (
        (60, 85, 150),
        (170, 200, 222),
        (
            (0.22, 0.52, 0.14, 0.04, 0.8),
            (0.48, 0.5, 0.21, 0.13, 1.0),
            (0.45, 0.5, 0.13, 0.06, 0.7),
            (0.7, 0.4, 0.09, 0.085, 1.1),
            (0.8, 0.41, 0.05, 0.02, 1.6),
            (0.73, 0.38, 0.015, 0.015, 0.1),
        ),
    ),
    "cat": (
        (160, 125, 90),
        (205, 196, 188),
        (
            (0.2, 0.55, 0.05, 0.2, 0.8),
            (0.42, 0.64, 0.22, 0.2, 1.0),
            *((x, 0.25, 0.035, 0.08, 0.9) for x in (0.55, 0.71)),
            (0.63, 0.38, 0.14, 0.13, 1.08),
            *((x, 0.36, 0.02, 0.025, 0.2) for x in (0.58, 0.68)),
        ),
    ),
    "deer": (
        (150, 100, 55),
        (105, 135, 75),
        (
            *LEGS,
            *((x, 0.17, 0.012, 0.09, 0.6) for x in (0.7, 0.78)),
            (0.46, 0.53, 0.23, 0.11, 1.0),
            (0.68, 0.4, 0.05, 0.14, 1.0),
            (0.75, 0.3, 0.085, 0.055, 1.1),
        ),
    ),
    "dog": (
        (195, 160, 115),
        (165, 180, 155),
        (
            *LEGS,
            (0.45, 0.57, 0.24, 0.13, 1.0),
            (0.7, 0.38, 0.13, 0.12, 1.06),
            (0.83, 0.42, 0.07, 0.05, 0.95),
            (0.6, 0.4, 0.045, 0.12, 0.65),
            (0.89, 0.41, 0.02, 0.02, 0.15),
            (0.73, 0.35, 0.018, 0.018, 0.15),
        ),
    ),
    "frog": (
        (75, 150, 55),
        (100, 84, 52),
        (
            *((x, 0.74, 0.13, 0.06, 0.75) for x in (0.24, 0.76)),
            (0.5, 0.6, 0.28, 0.18, 1.0),
            *((x, 0.42, 0.075, 0.075, 1.1) for x in (0.37, 0.63)),
            *((x, 0.42, 0.035, 0.035, 0.15) for x in (0.37, 0.63)),
            (0.5, 0.64, 0.16, 0.015, 0.5),
        ),
    ),
    "horse": (
        (105, 66, 42),
        (180, 190, 130),
        (
            *LEGS,
            (0.22, 0.55, 0.035, 0.16, 0.5),
            (0.45, 0.5, 0.26, 0.14, 1.0),
            (0.68, 0.36, 0.07, 0.17, 1.0),
            (0.62, 0.33, 0.03, 0.16, 0.5),
            (0.77, 0.25, 0.12, 0.065, 1.05),
        ),
    ),
}
"""Colour of the figure, of the ground, and its ellipses from back to front."""
LABELS = sorted((*PHOTOGRAPHS, *FIGURES))


def picture(label: str, seed: int, side: int = 48) -> bytes:
    """A PNG of `side` × `side` pixels."""
    random = np.random.default_rng([seed, LABELS.index(label)])
    drawn = _variation(label, side, random) if label in PHOTOGRAPHS else _figure(label, side, random)
    noise = random.normal(0, 6, drawn.shape)
    pixels = np.clip(drawn + noise, 0, 255).astype(np.uint8)
    return encode_png(pixels.tobytes(), side, side)


@cache
def _photograph(label: str, side: int) -> Pixels:
    spec = ImageSpec(height=side, width=side)
    content = decode((PICTURES / f"{label}.jpg").read_bytes(), spec)
    return np.frombuffer(content, np.uint8).reshape(side, side, 3)


def _variation(label: str, side: int, random: np.random.Generator) -> Floats:
    """A cut of the photograph, perhaps mirrored, in another light."""
    whole = _photograph(label, side + side // 4)
    top, left = random.integers(0, side // 4, 2)
    cut = whole[top : top + side, left : left + side].astype(np.float64)
    if random.random() < 0.5:
        cut = cut[:, ::-1]
    light = random.uniform(0.7, 1.2) * random.uniform(0.9, 1.1, 3)
    return np.asarray(cut * light)


def _figure(label: str, side: int, random: np.random.Generator) -> Floats:
    """Ellipses on a ground that grows darker downwards, perhaps mirrored, in any size and light."""
    colour, ground, ellipses = FIGURES[label]
    y, x = np.mgrid[0:side, 0:side] / side
    if random.random() < 0.5:
        x = 1 - x
    zoom, (right, down) = random.uniform(0.85, 1.2), random.uniform(-0.06, 0.06, 2)
    x, y_moved = (x - 0.5 - right) * zoom + 0.5, (y - 0.5 - down) * zoom + 0.5
    drawn: Floats = np.array(ground) * (1.15 - 0.4 * y)[..., None] * random.uniform(0.8, 1.15)
    body = np.array(colour) * random.uniform(0.85, 1.15, 3)
    for across, along, wide, high, light in ellipses:
        distance = np.sqrt(((x - across) / wide) ** 2 + ((y_moved - along) / high) ** 2)
        edge = np.clip((1 - distance) * min(wide, high) * side, 0, 1)[..., None]
        drawn = edge * body * light * (1.1 - 0.25 * y[..., None]) + (1 - edge) * drawn
    return drawn
