"""Where the gateway is, who asks, and what becomes of a request that had no answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import httpx

from rekindle.errors import GatewayUnreachableError

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Connection:
    """How to reach the gateway."""

    url: str
    timeout_seconds: float
    token: str | None

    @classmethod
    def of(cls, url: str | None, timeout_seconds: float, token: str | None) -> Connection:
        """What is not given comes from REKINDLE_URL and REKINDLE_TOKEN."""
        return cls(
            url or os.environ.get("REKINDLE_URL") or DEFAULT_URL,
            timeout_seconds,
            token or os.environ.get("REKINDLE_TOKEN") or None,
        )

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of both of httpx' clients."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"base_url": self.url, "timeout": self.timeout_seconds, "headers": headers}


def unreachable(error: httpx.TransportError, url: httpx.URL) -> GatewayUnreachableError:
    """The error of a request that had no answer."""
    return GatewayUnreachableError(f"no answer from {url}: {error or type(error).__name__}")
