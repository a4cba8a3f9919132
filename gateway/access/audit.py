"""Who did what. An entry goes to the log at once and to the database when that answers.

An operator must be able to roll back while the database is away, so a deed never waits for its entry;
the line in the log is then the record.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from contract.values import now
from gateway import logs
from gateway.access.callers import Caller
from gateway.errors import DatabaseError
from gateway.metrics import Metrics
from gateway.ports.audit import AuditEntry, AuditStore
from gateway.ports.history import Cursor

log = logging.getLogger(__name__)


class AuditLog:
    """Records deeds, and shows them."""

    def __init__(self, store: AuditStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def record(
        self,
        caller: Caller,
        action: str,
        target: str,
        detail: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        """Keep one deed."""
        request_id = logs.request_id.get() or ""
        at = math.floor(now().timestamp() * 1_000_000)
        entry = AuditEntry(
            uuid4().hex, at, caller.name, action, target, dict(detail or {}), reason, request_id
        )
        told = {"caller": caller.name, "action": action, "target": target, "reason": reason or ""}
        log.info("audit", extra=told | {"detail": entry.detail})
        try:
            await self._store.append(entry)
        except DatabaseError as error:
            self._metrics.audit_lost.inc()
            log.error("an audit entry is in this log only", extra={"reason": str(error)})

    async def page(
        self, target: str | None, after: Cursor | None, limit: int
    ) -> tuple[Sequence[AuditEntry], Cursor | None]:
        """One page, newest first, and the cursor of the next. Raises DatabaseError."""
        entries = await self._store.page(target, after, limit + 1)
        shown = entries[:limit]
        return shown, (shown[-1].at, shown[-1].id) if len(entries) > limit else None
