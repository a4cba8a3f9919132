"""Labelled pictures from a folder of class folders, and shifts that no training recipe contains.

Plain bytes: what a picture is, and how it is decoded and encoded, is contract.images' business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contract import images
from contract.image_spec import ImageSpec

INVERTED = bytes(range(255, -1, -1))


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """An encoded picture and what it shows."""

    content: bytes
    label: str


def pictures_in(folder: Path) -> list[LabelledPicture]:
    """Every picture, by name. Raises FileNotFoundError with the way out."""
    found = [
        LabelledPicture(path.read_bytes(), path.parent.name)
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    ]
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no pictures in class folders; name one, e.g. --pictures data/cifar10/test "
            "(`python -m trainer fetch cifar10` brings it)"
        )
    return found


def _inverted(pixels: bytes, height: int, width: int) -> bytes:
    return pixels.translate(INVERTED)


def _permuted(pixels: bytes, height: int, width: int) -> bytes:
    """Red, green, blue → blue, red, green."""
    moved = bytearray(len(pixels))
    moved[0::3], moved[1::3], moved[2::3] = pixels[2::3], pixels[0::3], pixels[1::3]
    return bytes(moved)


def _blurred(pixels: bytes, height: int, width: int) -> bytes:
    """The mean of 5×5 neighbours, the edges repeated."""
    rows = [pixels[start : start + width * 3] for start in range(0, len(pixels), width * 3)]
    across = [_smoothed([row[3 * column : 3 * column + 3] for column in range(width)]) for row in rows]
    down = _smoothed([b"".join(row) for row in across])
    return b"".join(down)


def _smoothed(line: list[bytes]) -> list[bytes]:
    last = len(line) - 1
    near = ([line[min(max(place + step, 0), last)] for step in range(-2, 3)] for place in range(len(line)))
    return [bytes(sum(values) // 5 for values in zip(*group, strict=True)) for group in near]


SHIFTS: Mapping[str, Callable[[bytes, int, int], bytes]] = {
    "inverted": _inverted,
    "blurred": _blurred,
    "channels permuted": _permuted,
}


def shifted(content: bytes, shift: str, spec: ImageSpec) -> bytes:
    """The picture as PNG of the model's size, changed."""
    pixels = images.decode(content, spec)
    return images.encode_png(SHIFTS[shift](pixels, spec.height, spec.width), spec.height, spec.width)
