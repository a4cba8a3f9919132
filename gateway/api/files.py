"""Files that never change once they are there: plots of a version, results of load tests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from starlette.responses import Response

from gateway.errors import UnknownNameError

FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
MEDIA_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".json": "application/json"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


async def names_in(folder: Path, suffix: str) -> Sequence[str]:
    """The names without suffix of a folder's files, sorted; none where there is no folder."""
    return await asyncio.to_thread(_names_in, folder, suffix)


def _names_in(folder: Path, suffix: str) -> Sequence[str]:
    try:
        stems = [path.stem for path in folder.iterdir() if path.suffix == suffix]
    except OSError:
        return ()
    return sorted(stem for stem in stems if _NAME.fullmatch(stem))


async def file_in(folder: Path, name: str, suffix: str, headers: dict[str, str] | None = None) -> Response:
    """A file by its name without suffix. Raises UnknownNameError for one that is not there."""
    if not _NAME.fullmatch(name):
        raise UnknownNameError(f"{name[:80]!r} is no name of a file here")
    try:
        content = await asyncio.to_thread((folder / f"{name}{suffix}").read_bytes)
    except OSError as error:
        known = ", ".join(await names_in(folder, suffix)) or "none"
        raise UnknownNameError(f"there is no {name!r}; there is: {known}") from error
    return Response(content, headers=headers, media_type=MEDIA_TYPES[suffix])
