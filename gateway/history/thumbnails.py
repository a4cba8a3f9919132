"""Small versions of kept pictures: made when somebody looks at them, remembered for a while by content.

Nothing of them is written to disk, so there is nothing to delete with a picture: whoever asks for one has
found the picture's row before, and what is remembered leaves the memory of every process within minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from contract import images
from gateway.errors import UnknownNameError

KEPT_BYTES = 8 * 2**20
"""Some thousand of them. Beyond it the oldest go."""
KEPT_SECONDS = 600.0
AT_ONCE = 2
"""Decoded at the same time: what people look at must not take the machine from predictions."""

Read = Callable[[], Awaitable[tuple[bytes, str]]]
"""Gives the picture itself and its media type."""


class Thumbnails:
    """Lives on one event loop."""

    MEDIA_TYPE = "image/webp"

    def __init__(
        self, max_pixels: int, kept_bytes: int = KEPT_BYTES, kept_seconds: float = KEPT_SECONDS
    ) -> None:
        self._max_pixels = max_pixels
        self._kept_bytes = kept_bytes
        self._kept_seconds = kept_seconds
        self._kept: dict[tuple[str, int], bytes] = {}
        self.bytes = 0
        """Of all that are remembered."""
        self._places = asyncio.Semaphore(AT_ONCE)

    async def of(self, sha256: str, side: int, read: Read) -> bytes:
        """The picture of this hash, at most `side` pixels wide and high, as WebP.

        Raises what `read` raises, and UnknownNameError for a file that is no picture any more.
        """
        key = (sha256, side)
        if key not in self._kept:
            async with self._places:
                content, _ = await read()
                self._keep(key, await asyncio.to_thread(self._made, sha256, content, side))
        return self._kept[key]

    def _made(self, sha256: str, content: bytes, side: int) -> bytes:
        try:
            return images.smaller(content, side, self._max_pixels)
        except images.ImageError as error:
            raise UnknownNameError(f"the picture {sha256} cannot be read any more: {error}") from error

    def _keep(self, key: tuple[str, int], small: bytes) -> None:
        self._forget(key)
        while self._kept and self.bytes + len(small) > self._kept_bytes:
            self._forget(next(iter(self._kept)))
        self._kept[key] = small
        self.bytes += len(small)
        asyncio.get_running_loop().call_later(self._kept_seconds, self._forget, key)

    def _forget(self, key: tuple[str, int]) -> None:
        self.bytes -= len(self._kept.pop(key, b""))
