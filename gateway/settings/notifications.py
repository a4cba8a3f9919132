"""Where events go."""

from __future__ import annotations

from pydantic import Field, HttpUrl

from gateway.settings.base import Group


class NotificationSettings(Group):
    """A webhook that is told what the gateway does by itself: canaries, drift, triggered runs."""

    url: HttpUrl | None = None
    """Gets a POST of JSON in the form of Standard Webhooks. None: nobody is told."""
    secret: str = ""
    """Base64, with or without `whsec_` before it: messages carry an HMAC-SHA256 of it in `webhook-signature`.
    Empty: no signature."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    attempts: int = Field(default=8, ge=1, le=100)
    retry_seconds: float = Field(default=1.0, gt=0)
    """Before the second attempt; twice as long before each further one, at most thirty times this."""
    queued: int = Field(default=200, ge=1)
    """Events that wait while the receiver is away; beyond it they are dropped and counted."""
