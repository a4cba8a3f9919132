"""The audit log: who did what, when, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.ports.history import Cursor


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed."""

    id: str
    at: int
    """Microseconds since 1970, UTC."""
    caller: str
    action: str
    """Noun and verb, e.g. `rollout.promote`."""
    target: str
    detail: Mapping[str, Any]
    reason: str | None
    request_id: str


class AuditStore(Protocol):
    """The database's part. Every method raises DatabaseError when it cannot be asked."""

    async def append(self, entry: AuditEntry) -> None:
        """Keep one entry."""

    async def page(self, target: str | None, after: Cursor | None, limit: int) -> Sequence[AuditEntry]:
        """The newest entries behind the cursor."""
