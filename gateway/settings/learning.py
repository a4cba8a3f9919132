"""Datasets and training runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.base import MEBIBYTE, Group, Texts


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
    upload_core_share: float = Field(default=0.12, gt=0, le=1)
    """Of one core, while an upload is received and while an import reads it: the rest is for predictions.
    On a machine with idle cores up to three quarters of one are taken. The whole process is measured, so one
    that predicts meanwhile imports more slowly. 1: at full speed."""
    validation_share: float = Field(default=0.05, ge=0, lt=1)
    test_share: float = Field(default=0.1, ge=0, lt=1)


class TrainingSettings(Group):
    """How training runs are started."""

    launcher: Literal["process", "watch", "kubernetes"] = "process"
    """`process`: a child of the gateway; `watch`: a standing `python -m trainer watch` finds the run's
    directory; `kubernetes`: a Job from the template of a suspended CronJob."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """Interval in which unfinished runs and schedules are looked at."""
    lease_seconds: float = Field(default=15.0, ge=1)
    """How long the gateway that does so may be silent before another takes over."""
    runs_per_day: int = Field(default=0, ge=0)
    """Of one model in any 24 hours, whoever starts them; 0: no limit. What never started does not count."""
    cooldown_seconds: float = Field(default=0.0, ge=0)
    """Between the end of a model's run and the start of its next."""
    process_command: Texts = ()
    """The trainer's command for `process`, to which `run --spec FILE` is added; empty: this gateway's own
    Python with `-m trainer`."""
    data_at_trainer: str | None = None
    """The dataset store's path as the trainer sees it; None: the absolute path of `stores.data`."""
    models_at_trainer: str | None = None
    """The model store's, likewise."""
    runs_at_trainer: str | None = None
    """The runs folder's, likewise; used by `kubernetes` only."""
    cron_job: str = Field(default="trainer", pattern=r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$")
    """The suspended CronJob whose template the Jobs are made from. A Job is called after it and the run's
    id, in 63 characters."""
    kubernetes_namespace: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """None: the one that the gateway's own pod is in."""
    kubernetes_timeout_seconds: float = Field(default=10.0, gt=0)
    """Of one call to the Kubernetes API."""
