"""Datasets and training runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.base import MEBIBYTE, Group


class DatasetSettings(Group):
    """What may be uploaded as labelled data."""

    upload_bytes: int = Field(default=2 * 1024 * MEBIBYTE, ge=1024)
    """One upload's body; it is spooled to disk, not to memory."""
    archive_files: int = Field(default=500_000, ge=1)
    """Files in one archive."""
    archive_bytes: int = Field(default=16 * 1024 * MEBIBYTE, ge=1024)
    """What an archive may unpack to, all files together."""
    archive_ratio: float = Field(default=100.0, ge=1)
    """Unpacked over packed bytes of one archive; pictures are compressed already, so 100 is a bomb."""
    synchronous_files: int = Field(default=1000, ge=0)
    """Up to here an upload is answered with its report; beyond it with 202 and an import."""
    validation_share: float = Field(default=0.05, ge=0, lt=1)
    test_share: float = Field(default=0.1, ge=0, lt=1)


class TrainingSettings(Group):
    """How training runs are started."""

    launcher: Literal["process", "watch", "kubernetes"] = "process"
    """`process`: a child of the gateway; `watch`: a standing `python -m trainer watch` finds the run's
    directory; `kubernetes`: a Job from the template of a suspended CronJob."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """Interval in which unfinished runs and schedules are looked at."""
