"""The requests about how the gateways fare, and who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rekindle.answers.operation import AuditPage, Stats
from rekindle.client.calls.call import Call, given


def stats(since: datetime | None, until: datetime | None, model: str | None) -> Call[Stats]:
    """Availability, latency, versions."""
    params = given(since=since, until=until, model=model)
    return Call(Stats, "GET", "/v1/stats", {"params": params})


def audit(cursor: str | None = None, **wanted: Any) -> Call[AuditPage]:
    """One page; `wanted`: target, limit."""
    return Call(AuditPage, "GET", "/v1/audit", {"params": given(cursor=cursor, **wanted)})
