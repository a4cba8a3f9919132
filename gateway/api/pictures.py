"""How kept pictures are answered: whole, or small enough for a list; kept by browsers for a day."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.schemas import guarded_responses
from gateway.history.thumbnails import Read, Thumbnails

KEPT_A_DAY = {"Cache-Control": "private, max-age=86400, immutable"}
"""What lies behind an address never changes. A day, so that a picture that was deleted is gone tomorrow."""


class Side(IntEnum):
    """Few sizes, so that few versions of a picture are made: for pixels, lists, grids, and sharp grids."""

    PIXELS = 32
    LIST = 64
    GRID = 128
    SHARP = 256


WantedSide = Annotated[
    Side | None,
    Query(
        description="At most so many pixels wide and high, as WebP, never enlarged; default: as it is kept."
    ),
]
PICTURE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "As the `If-None-Match` that was sent."},
    **guarded_responses(404, 422, 503),
}


async def picture_answer(
    request: Request, thumbnails: Thumbnails, sha256: str, side: Side | None, read: Read
) -> Response:
    """The picture of this hash. Raises what `read` raises."""
    tag = f'"{sha256}-{side or 0}"'
    headers = {**KEPT_A_DAY, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if side is None:
        content, media_type = await read()
    else:
        content, media_type = await thumbnails.of(sha256, side, read), thumbnails.MEDIA_TYPE
    return Response(content, media_type=media_type, headers=headers)
