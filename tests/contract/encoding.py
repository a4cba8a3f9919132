"""Pictures for the tests, encoded in every way that strangers encode them."""

from __future__ import annotations

import io
import random
import struct
import zlib

from PIL import Image

from contract.image_spec import ImageSpec
from contract.images import decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

Colour = tuple[int, ...]


def encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture in one of Pillow's formats."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def plain(colour: Colour | int = RED, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, size, colour)


def noise(size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A picture that no encoder makes small; the same on every call."""
    return Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))


def png(bits: int, colour_type: int, pixel: bytes, transparent: bytes = b"", size: int = 8) -> bytes:
    """A PNG of one colour, written by hand, since Pillow writes no 16-bit colours."""
    header = struct.pack(">IIBBBBB", size, size, bits, colour_type, 0, 0, 0)
    key = _chunk(b"tRNS", transparent) if transparent else b""
    rows = zlib.compress((b"\0" + pixel * size) * size)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + key + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def middle(data: bytes, size: int = 8) -> Colour:
    """The colour in the middle after decoding to a square."""
    pixels = decode(data, ImageSpec(height=size, width=size))
    assert len(pixels) == size * size * 3
    start = (size // 2 * size + size // 2) * 3
    return tuple(pixels[start : start + 3])


def near(colour: Colour, expected: Colour, tolerance: int = 4) -> bool:
    """True where no channel differs by more than what a lossy encoder may change."""
    return all(abs(one - other) <= tolerance for one, other in zip(colour, expected, strict=True))
