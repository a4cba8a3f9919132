"""What a tracer can do, and the one that does nothing.

FastAPI itself makes the spans of requests. A call to a model server carries images of many requests: it
belongs to the trace of the first and links to the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import Span


@dataclass(frozen=True, slots=True)
class Call:
    """One Predict, for which requests it is made, and where it goes."""

    causes: Sequence[Span]
    address: str
    model: str
    version: int
    images: int


class Tracing(Protocol):
    """Spans around requests and calls."""

    @property
    def of_requests(self) -> TelemetryConfig:
        """What FastAPI is told."""

    def call(self, call: Call) -> AbstractContextManager[None]:
        """A span around one Predict."""

    def headers(self) -> Sequence[tuple[str, str]] | None:
        """The current span as metadata of an outgoing call."""

    def close(self) -> None:
        """Send what waits."""


class Untraced:
    """A Tracing that costs nothing."""

    of_requests = TelemetryConfig(tracing=False, metrics=False, logs=False)

    def call(self, call: Call) -> AbstractContextManager[None]:
        """No span."""
        return nullcontext()

    def headers(self) -> None:
        """No metadata."""
        return

    def close(self) -> None:
        """Nothing waits."""
