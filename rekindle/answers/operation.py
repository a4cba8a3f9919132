"""How the gateways fare, and who did what."""

from __future__ import annotations

from typing import Any

from rekindle.answers.base import Answer


class Stats(Answer):
    """How the gateways fare."""

    uptime_seconds: float
    requests: dict[str, Any]
    windows: dict[str, dict[str, Any]]
    series: dict[str, Any] = {}
    models: list[dict[str, Any]] = []


class AuditPage(Answer):
    """Who did what, newest first."""

    entries: list[dict[str, Any]]
    next_cursor: str | None = None
