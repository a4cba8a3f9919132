"""What can go wrong for a caller of the client.

RekindleError
├── GatewayUnreachableError   nothing answered: no connection, or a time-out
└── ApiError                  the gateway answered with a problem (RFC 9457), or not in its API
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Problem:
    """A problem as the gateway describes it: for a whole call, or for one picture of a call."""

    status: int
    code: str
    title: str
    detail: str = ""
    request_id: str = ""

    @classmethod
    def from_json(cls, document: Any, status: int) -> Self:
        """From application/problem+json; fields that are missing or of another kind are filled in."""
        fields = document if isinstance(document, dict) else {}
        known = fields.get("status")
        return cls(
            status=known if isinstance(known, int) else status,
            code=str(fields.get("code") or "unknown"),
            title=str(fields.get("title") or f"HTTP status {status}"),
            detail=str(fields.get("detail") or ""),
            request_id=str(fields.get("request_id") or ""),
        )

    def __str__(self) -> str:
        return f"{self.title}: {self.detail}" if self.detail else self.title


class RekindleError(Exception):
    """Base of what the client raises."""


class GatewayUnreachableError(RekindleError):
    """No answer came; the call may or may not have been carried out."""


class ApiError(RekindleError):
    """The gateway answered, and the answer is not what was asked for."""

    def __init__(self, problem: Problem, retry_after_seconds: float | None = None) -> None:
        """`retry_after_seconds`: when the gateway says that trying again may help."""
        super().__init__(f"{problem.status} {problem.code}: {problem}")
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds
