"""Leases: who may do what only one process may, until a moment in time."""

from __future__ import annotations

from typing import Protocol


class Leases(Protocol):
    """Named leases. Every method raises DatabaseError when the database cannot be asked."""

    async def acquire(self, name: str, holder: str, seconds: float) -> bool:
        """Take a free or expired lease, or renew one's own; False when another holds it."""

    async def release(self, name: str, holder: str) -> None:
        """Give one's own lease back; another's stays."""
