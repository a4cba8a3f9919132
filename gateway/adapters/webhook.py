"""Notifications by HTTP: a gateway.notifications.notifier.Delivery with httpx, retried by stamina.

Imported only where a URL is configured.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import stamina

from gateway.notifications.notifier import DeliveryError
from gateway.settings import NotificationSettings


class Webhook:
    """POSTs to one URL. Redirects are not followed."""

    def __init__(self, settings: NotificationSettings) -> None:
        assert settings.url is not None  # noqa: S101
        self._url = str(settings.url)
        self._client = httpx.AsyncClient(timeout=settings.timeout_seconds, trust_env=False)
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=settings.attempts,
            timeout=None,
            wait_initial=settings.retry_seconds,
            wait_max=settings.retry_seconds * 30,
            wait_jitter=settings.retry_seconds,
        )

    async def __call__(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send, and again after a fault of the network or of the receiver. Raises DeliveryError."""
        try:
            await self._retrying(_may_pass, self._post, body, headers)
        except httpx.HTTPError as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from error

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> None:
        response = await self._client.post(self._url, content=body, headers=dict(headers))
        response.raise_for_status()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _may_pass(error: Exception) -> bool:
    """Whether another attempt makes sense: not after a 4xx, except for 408 and 429, nor a redirect."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status >= 500 or status in (408, 429)
    return isinstance(error, httpx.TransportError)
