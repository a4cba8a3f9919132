"""What a request of the API is and how its answer is read; how its path and its parameters are written.

The requests themselves stand in the other files of this package, one subject each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from rekindle.answers.base import Answer
from rekindle.errors import ApiError, Problem

Picture = Path | bytes
"""A file, or its content."""

PIECE_BYTES = 1024 * 1024

A = TypeVar("A", covariant=True)


@dataclass(frozen=True)
class Call(Generic[A]):
    """One request."""

    kind: type[A]
    method: str
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    is_repeatable: bool = True
    archive: Path | None = None
    """A file that is sent as the body, read while it is sent."""

    def pieces(self) -> Iterator[bytes]:
        """The archive's content."""
        assert self.archive is not None  # noqa: S101
        with self.archive.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    async def pieces_asynchronously(self) -> AsyncIterator[bytes]:
        """The same for asyncio; reading a piece of a local file takes a fraction of sending it."""
        for piece in self.pieces():
            yield piece

    def read(self, response: httpx.Response) -> A:
        """The answer. Raises ApiError."""
        if not response.is_success:
            problem = Problem.from_json(_json(response), response.status_code)
            raise ApiError(problem, _seconds(response.headers.get("Retry-After")))
        if self.kind is bytes:
            return response.content  # type: ignore[return-value]
        assert issubclass(self.kind, Answer)  # noqa: S101
        try:
            return self.kind.model_validate_json(response.content or b"{}")
        except ValidationError as error:
            detail = f"{self.method} {response.url} answered {response.content[:200]!r}"
            title = "Not an answer of the gateway's API"
            raise ApiError(Problem(response.status_code, "not_understood", title, detail)) from error


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None; times in ISO 8601, truths in lower case."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else value


def url_path(*parts: object) -> str:
    """Below /v1, each part quoted."""
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def media_type(path: Path) -> str:
    """Of an archive, by its name; a tar that is not plain is taken for gzip."""
    names = {".zip": "application/zip", ".tar": "application/x-tar"}
    return names.get(path.suffix.lower(), "application/gzip")
