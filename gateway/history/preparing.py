"""What was answered, as the hot path leaves it, and what becomes of it: a row and the file of a picture.

All of this runs on the event loop, as the decoding of small pictures does: in a thread every hash would hand
the interpreter over and take it back, which costs the loop more than the hash. Pictures that take long,
large ones and those whose metadata must go, are left to threads.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time_ns

from contract import images, layout
from gateway.ports.history import PictureFile, PredictionRow

KEPT_CLASSIFICATIONS = 5
INLINE_BYTES = 64 * 1024
"""Of a picture that is hashed on the event loop: 40 µs."""


@dataclass(slots=True)
class Remembered:
    """One prediction as the hot path leaves it: nothing of it is computed yet."""

    id: str
    model: str
    version: int
    role: str
    labels: Sequence[str]
    scores: Sequence[float]
    filename: str | None
    caller: str
    request_id: str
    seconds: float
    picture: bytes | None
    at: int = field(default_factory=lambda: time_ns() // 1000)
    """Microseconds since 1970, UTC."""


async def file_of(content: bytes) -> PictureFile:
    """The picture without metadata, under its hash. Raises ImageError."""
    if len(content) <= INLINE_BYTES and (extension := images.bare_extension(content)):
        return PictureFile(layout.sha256_of(content), extension, content)
    return await asyncio.to_thread(_bare_file, content)


def _bare_file(content: bytes) -> PictureFile:
    bare, extension = images.without_metadata(content)
    return PictureFile(layout.sha256_of(bare), extension, bare)


def row_of(item: Remembered, picture: str | None) -> PredictionRow:
    """What the database takes; `picture` is the hash of the kept picture."""
    scores = item.scores
    best = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:KEPT_CLASSIFICATIONS]
    top = [(item.labels[index], round(scores[index], 6)) for index in best]
    return PredictionRow(
        id=item.id,
        at=item.at,
        model=item.model,
        version=item.version,
        role=item.role,
        label=top[0][0],
        score=top[0][1],
        margin=round(scores[best[0]] - scores[best[1]], 6) if len(best) > 1 else 1.0,
        entropy=round(-sum([score * math.log(score) for score in scores if score > 0]), 6),
        classifications=top,
        filename=item.filename,
        caller=item.caller,
        request_id=item.request_id,
        milliseconds=round(item.seconds * 1000, 3),
        picture=picture,
    )
