"""The database, and what of each prediction is remembered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.base import MEBIBYTE, Group


class DatabaseSettings(Group):
    """Where history, runs, the dataset index and the audit log are kept."""

    url: str = "sqlite:///data/gateway.sqlite3"
    """`sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user:password@host/name`."""
    connections: int = Field(default=4, ge=1, le=64)
    """Threads, and so connections, of this process. What needs more waits."""
    timeout_seconds: float = Field(default=5.0, gt=0)
    """To connect, and for a lock or a statement; an API call that cannot be answered by then is a 503."""


class HistorySettings(Group):
    """What of each prediction is remembered, and for how long."""

    enabled: bool = True
    pictures: Literal["all", "sampled", "uncertain", "none"] = "all"
    """Which predictions keep their picture. `sampled`: a share of `sample_share`; `uncertain`: those whose
    best score is below `uncertain_below`."""
    sample_share: float = Field(default=0.1, ge=0, le=1)
    uncertain_below: float = Field(default=0.7, ge=0, le=1)
    flush_seconds: float = Field(default=0.5, gt=0)
    """How long a prediction waits at most for others before they are written together."""
    backlog_predictions: int = Field(default=20_000, ge=1)
    """What may wait while the database is away: at 300 a second, a minute. Beyond it the oldest are dropped
    and counted."""
    backlog_bytes: int = Field(default=64 * MEBIBYTE, ge=0)
    """Memory for the pictures among them; a prediction beyond it is kept without its picture."""
    labelling_days: float = Field(default=30.0, gt=0)
    """Older predictions are not offered for labelling."""
    retention_days: float = Field(default=90.0, gt=0)
    """Predictions older than this are deleted; those with feedback keep their row."""
    retention_picture_bytes: int = Field(default=10 * 1024 * MEBIBYTE, ge=0)
    """Together; beyond it the oldest pictures are deleted."""
