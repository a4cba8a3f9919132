"""Pictures that the tests draw."""

from __future__ import annotations

import io
import random

from PIL import Image


def picture(colour: tuple[int, int, int] = (200, 120, 40)) -> bytes:
    """A PNG of 32 by 32 pixels: noise around a colour, so that no two are the same."""
    pixels = bytes(max(0, min(255, one + random.randint(-60, 60))) for _ in range(1024) for one in colour)
    file = io.BytesIO()
    Image.frombytes("RGB", (32, 32), pixels).save(file, "PNG")
    return file.getvalue()
