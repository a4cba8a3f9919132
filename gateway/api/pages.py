"""The dashboard's files: GET / for a browser, and what the page loads.

They hold no data and use the public API only. Files lie in memory, packed once; their address carries a
digest over all of them, so that a browser keeps them for ever and never mixes two releases.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.api.files import FOR_EVER
from gateway.api.operations import welcome
from gateway.errors import UnknownNameError

FOLDER = Path(__file__).resolve().parent.parent / "dashboard"
INDEX = "index.html"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
ASK_AGAIN = {"Cache-Control": "no-cache"}
MAY_BE_MISSING = ("/v1/drift", "/v1/triggers", "/v1/models/{model}/canary")
"""Routes that the page asks for only where they are: a browser's console is no place for expected errors."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent."""

    content: bytes
    packed: bytes
    media_type: str
    tag: str


@dataclass(frozen=True, slots=True)
class Release:
    """All files of the dashboard, and the digest over them."""

    digest: str
    files: Mapping[str, File]


@cache
def release() -> Release:
    """The files of this process; read once."""
    found = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    digest = hashlib.sha256()
    for name, content in found.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    word = digest.hexdigest()[:16]
    found[INDEX] = found[INDEX].replace(b"{digest}", word.encode())
    return Release(word, {name: _file(name, content) for name, content in found.items()})


def _file(name: str, content: bytes) -> File:
    packed = gzip.compress(content, 9, mtime=0)
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return File(content, packed, MEDIA_TYPES[Path(name).suffix], tag)


@router.get("/")
async def show_dashboard(request: Request) -> Response:
    """The dashboard for whoever accepts HTML; for others the way to the documentation."""
    if "text/html" not in request.headers.get("accept", ""):
        return Response(
            (await welcome()).model_dump_json(), media_type="application/json", headers={"Vary": "Accept"}
        )
    here = {getattr(route, "path", "") for route in request.app.routes}
    index = _index(tuple(path for path in MAY_BE_MISSING if path in here))
    return _answer(request, index, ASK_AGAIN, "Accept, Accept-Encoding")


@cache
def _index(offers: tuple[str, ...]) -> File:
    """The page, which says what this gateway offers."""
    return _file(INDEX, release().files[INDEX].content.replace(b"{offers}", " ".join(offers).encode()))


@router.get("/dashboard/{digest}/{name:path}")
async def show_file(request: Request, digest: str, name: str) -> Response:
    """One file. A page of another release gets this one's, which it must not keep."""
    known = release()
    file = known.files.get(name)
    if file is None:
        raise UnknownNameError(f"the dashboard has no file {name[:80]!r}; load the page again")
    return _answer(request, file, FOR_EVER if digest == known.digest else ASK_AGAIN, "Accept-Encoding")


def _answer(request: Request, file: File, caching: Mapping[str, str], vary: str) -> Response:
    headers = {**caching, "Vary": vary, "ETag": file.tag}
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, 200, {**headers, "Content-Encoding": "gzip"}, file.media_type)
    return Response(file.content, 200, headers, file.media_type)
