"""The pictures that load tests send: drawn ones of several sizes and formats, or those of a folder.

The drawn ones are the photographs of docs/pictures: as they are (JPEG, 256 pixels square), and resized by the
contract's own rule to thumbnails and larger pictures (PNG). Everything is read once and kept in memory, so
that a load generator reads no file while it measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from contract import images
from contract.image_spec import ImageSpec

DRAWN = Path(__file__).resolve().parents[2] / "docs" / "pictures"
JPEG_SIDE = 256
SIDES = (32, 64, 512)
"""Of the PNG files."""
SUFFIXES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


@dataclass(frozen=True)
class Picture:
    """One encoded picture."""

    name: str
    content_type: str
    content: bytes
    digest: str


def drawn(largest: int) -> list[Picture]:
    """Every photograph as a JPEG of 256 pixels and as PNG files of SIDES, none above `largest` pixels."""
    originals = sorted(DRAWN.glob("*.jpg"))
    if not originals:
        raise FileNotFoundError(f"no *.jpg in {DRAWN}; docs/pictures/draw.py draws them")
    found = [_resized(path, side) for path in originals for side in SIDES if side <= largest]
    if largest >= JPEG_SIDE:
        found += [_picture(path.name, "image/jpeg", path.read_bytes()) for path in originals]
    return found


def in_folder(folder: Path) -> list[Picture]:
    """Every picture of a folder and its folders. Raises FileNotFoundError when there is none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no picture in {folder}; known are {' '.join(SUFFIXES)}")
    return [_picture(path.name, SUFFIXES[path.suffix.lower()], path.read_bytes()) for path in paths]


def load(folder: Path | None, largest: int) -> list[Picture]:
    """The pictures of the folder, or without one the drawn ones of up to `largest` pixels a side."""
    return drawn(largest) if folder is None else in_folder(folder)


def _resized(path: Path, side: int) -> Picture:
    pixels = images.decode(path.read_bytes(), ImageSpec(height=side, width=side))
    return _picture(f"{path.stem}-{side}.png", "image/png", images.encode_png(pixels, side, side))


def _picture(name: str, content_type: str, content: bytes) -> Picture:
    return Picture(name, content_type, content, sha256(content).hexdigest())
