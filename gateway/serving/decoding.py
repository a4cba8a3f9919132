"""Uploaded pictures become images of the size that a version takes.

Small pictures are decoded on the event loop, large ones in a bounded pool, so that one large picture holds
nobody up. A picture that cannot be decoded fails alone. The rule itself is contract.images'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contract import images
from contract.image_spec import ImageSpec
from gateway.errors import DeadlineError, NotAPictureError, RequestError, TooLargeError
from gateway.settings import DecodeSettings, LimitSettings

Decoded = Sequence[bytes | RequestError]
"""For each picture: uint8, [height, width, 3], or why it cannot be used."""

YIELD_EVERY = 8
"""After so many pictures decoded on the event loop, other requests have their turn."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One uploaded picture, as it came."""

    content: bytes
    filename: str | None = None


class Decoder:
    """Decodes the pictures of requests."""

    def __init__(self, limits: LimitSettings, decode: DecodeSettings) -> None:
        self._max_pixels = limits.image_pixels
        self._inline_pixels = decode.inline_pixels
        self._pool = ThreadPoolExecutor(decode.threads, thread_name_prefix="decode")

    async def decode(self, pictures: Sequence[Picture], spec: ImageSpec, deadline: float) -> Decoded:
        """In the order of the pictures. Raises DeadlineError."""
        decoded: list[bytes | RequestError] = []
        for number, picture in enumerate(pictures, start=1):
            decoded.append(await self._one(picture.content, spec, deadline))
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return decoded

    async def _one(self, content: bytes, spec: ImageSpec, deadline: float) -> bytes | RequestError:
        """Small pictures here, large ones in the pool; the header's pixel count decides."""
        try:
            encoded = images.Encoded(content, self._max_pixels)
            if encoded.pixels <= self._inline_pixels:
                return encoded.decode(spec)
            async with asyncio.timeout_at(deadline):
                return await asyncio.get_running_loop().run_in_executor(self._pool, encoded.decode, spec)
        except TimeoutError as error:
            raise DeadlineError(
                "the pictures could not be decoded in time; send fewer or smaller ones"
            ) from error
        except images.TooManyPixelsError as error:
            return TooLargeError(str(error))
        except images.ImageError as error:
            return NotAPictureError(str(error))

    def close(self) -> None:
        """Let the decoding threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def usable_images(decoded: Decoded) -> list[bytes]:
    """The images of those pictures that could be decoded."""
    return [image for image in decoded if isinstance(image, bytes)]


def require_one(decoded: Decoded) -> None:
    """Raises the first picture's error when not one can be used."""
    if not any(isinstance(image, bytes) for image in decoded):
        raise next(image for image in decoded if not isinstance(image, bytes))
