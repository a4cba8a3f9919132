"""Events to a webhook: queued, signed, retried; what fails is logged and counted and harms nothing.

The form and the signature are those of Standard Webhooks (standardwebhooks.com, 1.0.0), so that receivers
find a library for them. How a request is sent is the adapter's business.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from pydantic_core import to_json

from contract.values import now
from gateway.errors import ConfigurationError
from gateway.metrics import Metrics

log = logging.getLogger(__name__)
SECRET_PREFIX = "whsec_"  # noqa: S105  the standard's, in front of the base64


class DeliveryError(Exception):
    """The receiver did not take it, also not the last time."""


class Delivery(Protocol):
    """Sends one message, several times if it must."""

    async def __call__(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises DeliveryError."""

    async def aclose(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that others may want to know."""

    id: str
    kind: str
    body: bytes


class Notifier:
    """Without a delivery it only keeps still. Lives on one event loop."""

    def __init__(self, delivery: Delivery | None, secret: str, places: int, metrics: Metrics) -> None:
        """Raises ConfigurationError for a secret that is no base64."""
        self._delivery = delivery
        self._key = key_of(secret)
        self._metrics = metrics
        self._queue: asyncio.Queue[Event] = asyncio.Queue(places)

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Queue one event; a full queue drops it."""
        if self._delivery is None:
            return
        body = to_json({"type": kind, "timestamp": now(), "data": dict(data)})
        try:
            self._queue.put_nowait(Event(f"msg_{uuid4().hex}", kind, body))
        except asyncio.QueueFull:
            self._metrics.notifications.labels("dropped").inc()
            log.error("a notification is dropped, the queue is full", extra={"kind": kind})

    async def work(self) -> None:
        """Deliver until cancelled."""
        while self._delivery is not None:
            event = await self._queue.get()
            try:
                await self._delivery(event.body, self._headers(event))
            except DeliveryError as error:
                self._metrics.notifications.labels("failed").inc()
                log.error("a notification failed", extra={"kind": event.kind, "reason": str(error)})
            except Exception:
                self._metrics.notifications.labels("failed").inc()
                log.exception("a notification failed unexpectedly")
            else:
                self._metrics.notifications.labels("delivered").inc()
            finally:
                self._queue.task_done()

    def _headers(self, event: Event) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": timestamp,
        }
        if self._key:
            headers["webhook-signature"] = signature(self._key, event.id, timestamp, event.body)
        return headers

    async def aclose(self) -> None:
        """Close the connections; what waits is lost."""
        if self._delivery is not None:
            await self._delivery.aclose()


def signature(key: bytes, id_: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the base64 of the HMAC-SHA256 over id, timestamp and body."""
    signed = b".".join((id_.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """The key of a secret: base64, with or without the standard's prefix. Raises ConfigurationError."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ConfigurationError(
            "GATEWAY_NOTIFICATIONS__SECRET is no base64; make one with: "
            "python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"
        ) from error
