"""Small labelled datasets that the trainer's tests draw themselves."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "blue": (40, 40, 200),
    "green": (40, 200, 40),
    "red": (200, 40, 40),
}


def picture(colour: tuple[int, int, int], seed: int, side: int = 24, format: str = "PNG") -> bytes:
    """A noisy square of one colour; equal seeds draw equal pictures."""
    noise = np.random.default_rng(seed).normal(0, 60, (side, side, 3))
    content = io.BytesIO()
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(content, format)
    return content.getvalue()


def draw_folder(folder: Path, per_class: int, first_seed: int = 0) -> Path:
    """`folder/<colour>/<n>.png` for each of COLOURS."""
    for index, (label, colour) in enumerate(COLOURS.items()):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            seed = first_seed + 10_000 * index + number
            (folder / label / f"{number:04}.png").write_bytes(picture(colour, seed))
    return folder


def draw_dataset(root: Path, train: int = 80, test: int = 20) -> Path:
    """`root/{train,test}/<colour>/<n>.png`."""
    draw_folder(root / "train", train)
    draw_folder(root / "test", test, first_seed=5_000)
    return root
