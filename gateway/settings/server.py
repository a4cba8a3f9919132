"""The HTTP server and the limits on what a stranger may send."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.base import MEBIBYTE, Group

ProcessRole = Literal["all", "predict", "control"]
"""What a process serves: predictions, everything else, or both."""


class ServerSettings(Group):
    """The HTTP server."""

    role: ProcessRole = "all"
    """`predict`: predictions alone, which needs no rights and may be scaled; `control`: history, datasets,
    training, rollouts; `all`: both, on a laptop."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free port, which the start-up line names."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Serve /metrics on this port of the same host, without tokens, instead of on `port`; None: on `port`."""
    allow_unprotected: bool = False
    """Listen beyond loopback although no tokens are configured."""
    drain_seconds: float = Field(default=0.0, ge=0)
    """After SIGTERM: how long to go on serving while /readyz already fails. A cluster needs the time
    that endpoints take to propagate (5 s is usual); a laptop needs none."""
    shutdown_seconds: float = Field(default=10.0, gt=0)
    """After draining: how long running requests may take before they are cut off."""
    keep_alive_seconds: int = Field(default=75, ge=1)
    """Longer than the idle time of the usual proxies (60 s), so that they close first."""


class LimitSettings(Group):
    """What a stranger may send."""

    body_bytes: int = Field(default=32 * MEBIBYTE, ge=1024)
    """Six photographs of a large telephone camera, or a thousand small pictures."""
    image_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    image_pixels: int = Field(default=50_000_000, ge=1)
    """Width × height, read from the header before decoding."""
    requests_at_once: int = Field(default=1024, ge=1)
    """Of all callers together, in this process; beyond it requests are refused with 503 at once. Probes and
    metrics are not counted."""
    images_per_request: int = Field(default=256, ge=1)
    idempotency_seconds: float = Field(default=3600.0, gt=0)
    """How long this process gives the same answer again to the same Idempotency-Key of a prediction."""
    body_seconds: float = Field(default=30.0, gt=0)
    """32 MiB in 30 s is 9 Mbit/s; whoever is slower is told so with 408."""
    bodies_bytes: int = Field(default=256 * MEBIBYTE, ge=1024)
    """Memory for all bodies together; beyond it requests are refused with 503."""
