"""The gateway's HTTP API as Python calls, for programs that wait (Client) and that do not (AsyncClient).

Thin: one method a route, one request a call, no retries of its own. Answers are rekindle.answers, every
failure a rekindle.errors.RekindleError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from rekindle.answers import Answer, Model, Models, Predictions, Version, Versions
from rekindle.errors import ApiError, GatewayUnreachableError, Problem

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_SECONDS = 30.0

Picture = Path | bytes
"""A file, or its content."""

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class _Call:
    """One request, and how its answer is read: shared by both clients."""

    method: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)

    def read(self, kind: type[A], response: httpx.Response) -> A:
        """The answer. Raises ApiError."""
        if not response.is_success:
            raise ApiError(Problem.from_json(_json(response), response.status_code))
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            detail = f"{self.method} {response.url} answered {response.content[:200]!r}"
            title = "Not an answer of the gateway's API"
            raise ApiError(Problem(response.status_code, "not_understood", title, detail)) from error


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _predict(model: str, pictures: Sequence[Picture], top_k: int | None) -> _Call:
    files = [("images", _part(number, picture)) for number, picture in enumerate(pictures)]
    options = {"files": files, "params": {} if top_k is None else {"top_k": top_k}}
    return _Call("POST", f"{_model(model)}/predictions", options)


def _part(number: int, picture: Picture) -> tuple[str, bytes, str]:
    if isinstance(picture, Path):
        return picture.name, picture.read_bytes(), "application/octet-stream"
    return f"picture-{number}", picture, "application/octet-stream"


def _model(model: str) -> str:
    return f"/v1/models/{quote(model, safe='')}"


def _unreachable(error: httpx.TransportError, url: httpx.URL) -> GatewayUnreachableError:
    return GatewayUnreachableError(f"no answer from {url}: {error or type(error).__name__}")


class Client:
    """The gateway for programs that wait for each answer. Use as a context, or call `close`."""

    def __init__(self, url: str = DEFAULT_URL, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds)

    def predict(self, model: str, pictures: Sequence[Picture], top_k: int | None = None) -> Predictions:
        """Classify pictures in one call; a picture that fails carries its own `error`.

        Raises OSError for a file that cannot be read, GatewayUnreachableError, and ApiError: for the call
        as a whole, or when every picture failed.
        """
        return self._send(Predictions, _predict(model, pictures, top_k))

    def models(self) -> list[Model]:
        """Every model. Raises GatewayUnreachableError, ApiError."""
        return self._send(Models, _Call("GET", "/v1/models")).models

    def versions(self, model: str) -> list[Version]:
        """Every version of a model, newest first. Raises GatewayUnreachableError, ApiError."""
        return self._send(Versions, _Call("GET", f"{_model(model)}/versions")).versions

    def version(self, model: str, version: int) -> Version:
        """One version with its card. Raises GatewayUnreachableError, ApiError."""
        return self._send(Version, _Call("GET", f"{_model(model)}/versions/{version}"))

    def _send(self, kind: type[A], call: _Call) -> A:
        try:
            response = self._http.request(call.method, call.path, **call.options)
        except httpx.TransportError as error:
            raise _unreachable(error, self._http.base_url) from error
        return call.read(kind, response)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """The same for asyncio. Use as an asynchronous context, or call `aclose`."""

    def __init__(self, url: str = DEFAULT_URL, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_seconds)

    async def predict(self, model: str, pictures: Sequence[Picture], top_k: int | None = None) -> Predictions:
        """As Client.predict."""
        return await self._send(Predictions, _predict(model, pictures, top_k))

    async def models(self) -> list[Model]:
        """As Client.models."""
        return (await self._send(Models, _Call("GET", "/v1/models"))).models

    async def versions(self, model: str) -> list[Version]:
        """As Client.versions."""
        return (await self._send(Versions, _Call("GET", f"{_model(model)}/versions"))).versions

    async def version(self, model: str, version: int) -> Version:
        """As Client.version."""
        return await self._send(Version, _Call("GET", f"{_model(model)}/versions/{version}"))

    async def _send(self, kind: type[A], call: _Call) -> A:
        try:
            response = await self._http.request(call.method, call.path, **call.options)
        except httpx.TransportError as error:
            raise _unreachable(error, self._http.base_url) from error
        return call.read(kind, response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
